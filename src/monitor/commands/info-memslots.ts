import type { MemslotReport } from '../../machine/control.ts';
import { formatSize, hex } from '../../units.ts';
import type { MonitorCommand } from '../command.ts';
import { lines, roughSize, table } from '../text.ts';

function slotTable({ slots }: MemslotReport, all: boolean): string {
  const shown = slots.filter((slot) => all || slot.active);
  const heading = ['id', 'gpa', 'size', 'device', ...(all ? ['active'] : [])];
  const rows = shown.map((slot) => [
    String(slot.id),
    hex(slot.gpa),
    formatSize(slot.size),
    slot.device,
    ...(all ? [slot.active ? 'yes' : 'no'] : []),
  ]);
  return table([heading, ...rows], [0, 1, 2]);
}

function totals({ slots, limit, metadata }: MemslotReport): string {
  const active = slots.filter((slot) => slot.active);
  const covered = active.reduce((sum, slot) => sum + slot.size, 0);
  const idle = slots.length - active.length;
  return lines([
    '',
    `active: ${active.length} of the ${limit} slots of this KVM, covering ${roughSize(covered)}`,
    `idle: ${idle} ${idle === 1 ? 'window' : 'windows'} with nothing plugged, not known to KVM`,
    `KVM metadata now: ${roughSize(metadata.nowBytes)} (${metadata.nowBytes} bytes)`,
    `KVM metadata with one static slot per region: ${roughSize(metadata.staticBytes)} (${metadata.staticBytes} bytes)`,
    `computed for: ${metadata.basis}`,
  ]);
}

export const infoMemslots: MonitorCommand = {
  name: 'info memslots',
  parameters: [{ name: '-a', optional: true }],
  summary: 'show the KVM memory slots and what they cost the host (-a: idle windows too)',
  run: (args, { control }) => {
    const report = control.memslots();
    return slotTable(report, args.has('-a')) + totals(report);
  },
};
