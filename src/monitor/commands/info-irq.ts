import type { InterruptCount, IoApicPin, PicInfo } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

const hex2 = (value: number): string => value.toString(16).padStart(2, '0');

const DELIVERY_MODES = ['fixed', 'lowest', 'SMI', '...', 'NMI', 'INIT', '...', 'extINT'] as const;
const BITS = { remoteIrr: 14n, level: 15n, masked: 16n, activeLow: 13n, logical: 11n } as const;

function counted(title: string, counts: readonly InterruptCount[]): string[] {
  return [title, ...counts.map(({ gsi, count }) => `${String(gsi).padStart(2)}: ${count}`)];
}

export const infoIrq: MonitorCommand = {
  name: 'info irq',
  summary: 'show how often devices raised an interrupt, by wire and by message',
  details: 'Wires are I/O APIC pins. What KVM raises by itself, as its timer does, is not counted.',
  run: async (_args, { control }) => {
    const counts = (await control.inspect()).interruptCounts().filter(({ count }) => count > 0);
    return lines([
      ...counted(
        'IRQ statistics for ioapic:',
        counts.filter(({ kind }) => kind === 'wire'),
      ),
      ...counted(
        'IRQ statistics for msi:',
        counts.filter(({ kind }) => kind === 'msi'),
      ),
    ]);
  },
};

function describePic({ irr, imr, isr, irqBase, elcr }: PicInfo, index: number): string {
  return `pic${index}: irr=${hex2(irr)} imr=${hex2(imr)} isr=${hex2(isr)} irq_base=${hex2(irqBase)} elcr=${hex2(elcr)}`;
}

function describePin({ pin, entry }: IoApicPin): string {
  const has = (bit: bigint): boolean => ((entry >> bit) & 1n) !== 0n;
  const mode = DELIVERY_MODES[Number((entry >> 8n) & 7n)] ?? '';
  const texts = [
    `  pin ${String(pin).padEnd(2)} 0x${entry.toString(16).padStart(16, '0')}`,
    `dest=${(entry >> 56n).toString()}`,
    `vec=${String(entry & 0xffn).padEnd(3)}`,
    has(BITS.activeLow) ? 'active-lo' : 'active-hi',
    has(BITS.level) ? 'level' : 'edge ',
    has(BITS.masked) ? 'masked' : '      ',
    mode.padEnd(6),
    has(BITS.logical) ? 'logical' : 'physical',
  ];
  return texts.join(' ').trimEnd();
}

function numbers(pins: readonly IoApicPin[]): string {
  return pins.length === 0 ? '(none)' : pins.map(({ pin }) => pin).join(' ');
}

export const infoPic: MonitorCommand = {
  name: 'info pic',
  summary: 'show the PICs and the I/O APIC: how each wire is routed, and what waits',
  run: async (_args, { control }) => {
    const { pics, ioApicId, pins } = (await control.inspect()).interruptControllers();
    const remote = pins.filter(({ entry }) => ((entry >> BITS.remoteIrr) & 1n) !== 0n);
    return lines([
      ...pics.map(describePic),
      `ioapic0: id=0x${hex2(ioApicId)}`,
      ...pins.map(describePin),
      `  IRR      ${numbers(pins.filter(({ requested }) => requested))}`,
      `  Remote IRR ${numbers(remote)}`,
    ]);
  },
};
