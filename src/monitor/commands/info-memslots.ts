import type { IdleWindow, MemslotReport } from '../../machine/control.ts';
import { formatSize, hex } from '../../units.ts';
import type { MonitorCommand } from '../command.ts';
import { lines, roughSize, table } from '../text.ts';

const HEADING = ['gpa', 'size', 'device'];
/** Columns that stand on the right. */
const NUMBERS = [0, 1, 2];

function slotTable({ slots }: MemslotReport): string {
  return table(
    [['id', ...HEADING], ...slots.map((slot) => [String(slot.id), ...cells(slot)])],
    NUMBERS,
  );
}

/** Idle windows have no id, since KVM does not know them. */
function allTable({ slots }: MemslotReport, idle: readonly IdleWindow[]): string {
  const rows = [
    ...slots.map((slot) => ({ gpa: slot.gpa, row: [String(slot.id), ...cells(slot), 'yes'] })),
    ...idle.map((window) => ({ gpa: window.gpa, row: ['-', ...cells(window), 'no'] })),
  ].sort((a, b) => a.gpa - b.gpa);
  return table([['id', ...HEADING, 'active'], ...rows.map(({ row }) => row)], NUMBERS);
}

function cells({ gpa, size, device }: IdleWindow): readonly string[] {
  return [hex(gpa), formatSize(size), device];
}

function totals({ slots, limit, metadata }: MemslotReport, idle: number): string {
  const { nowBytes, staticBytes, whenNesting } = metadata;
  const bytes = (count: number): string => `${roughSize(count)} (${count} bytes)`;
  const covered = slots.reduce((sum, slot) => sum + slot.size, 0);
  return lines([
    '',
    `active: ${slots.length} of the ${limit} slots of this KVM, covering ${roughSize(covered)}`,
    `idle: ${idle} ${idle === 1 ? 'window' : 'windows'} with nothing plugged, not known to KVM`,
    `KVM metadata now: ${bytes(nowBytes)}`,
    `KVM metadata with one static slot per region: ${bytes(staticBytes)}`,
    ...(whenNesting.staticBytes === staticBytes
      ? []
      : [
          `once the guest runs guests of its own: ${bytes(whenNesting.nowBytes)}, and ${bytes(whenNesting.staticBytes)}`,
        ]),
    `computed for: ${metadata.basis}`,
  ]);
}

export const infoMemslots: MonitorCommand = {
  name: 'info memslots',
  parameters: [{ name: '-a', optional: true }],
  summary: 'show the KVM memory slots and what they cost the host (-a: idle windows too)',
  run: (args, { control }) => {
    const report = control.memslots();
    const idle = report.idle();
    const slots = args.has('-a') ? allTable(report, idle) : slotTable(report);
    return slots + totals(report, idle.length);
  },
};
