import type { LocalApicInfo } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';
import { parseCpu } from './info-registers.ts';

/** Offsets of registers (Intel SDM 3A, table 12-1). */
const APIC = {
  tpr: 0x80,
  ppr: 0xa0,
  ldr: 0xd0,
  dfr: 0xe0,
  spurious: 0xf0,
  isr: 0x100,
  irr: 0x200,
  esr: 0x280,
  icr: 0x300,
  icrHigh: 0x310,
  timerInitial: 0x380,
  timerCurrent: 0x390,
  timerDivide: 0x3e0,
} as const;
const LVTS = [
  ['LVT0', 0x350],
  ['LVT1', 0x360],
  ['LVTPC', 0x340],
  ['LVTERR', 0x370],
  ['LVTTHMR', 0x330],
  ['LVTT', 0x320],
] as const;
const DELIVERY_MODES = ['Fixed', 'LowPri', 'SMI', '...', 'NMI', 'INIT', 'SIPI', 'ExtINT'] as const;
const TIMER_MODES = ['one-shot', 'periodic', 'tsc-deadline', '...'] as const;
const SHORTHANDS = ['no-shorthand', 'self', 'all', 'all-self'] as const;
const VECTOR_WORDS = 8;

const hex = (value: number, width: number): string =>
  `0x${value.toString(16).padStart(width, '0')}`;

function withMode(value: number): string {
  const mode = (value >>> 8) & 7;
  const name = DELIVERY_MODES[mode] ?? '';
  // Only these two deliver a vector that the register names.
  return mode <= 1 || mode === 7 ? `${name.padEnd(6)} (vec ${value & 0xff})` : name;
}

function describeLvt(name: string, value: number): string {
  const texts = [
    `${name}\t ${hex(value, 8)}`,
    (value & 0x2000) !== 0 ? 'active-lo' : 'active-hi',
    (value & 0x8000) !== 0 ? 'level' : 'edge ',
    ((value & 0x1_0000) !== 0 ? 'masked' : '').padEnd(6),
    ((value & 0x1000) !== 0 ? 'pending' : '').padEnd(7),
    (name === 'LVTT' ? (TIMER_MODES[(value >>> 17) & 3] ?? '') : '').padEnd(12),
    withMode(value),
  ];
  return texts.join(' ').trimEnd();
}

/** Vectors whose bits are set: eight words, 16 bytes apart. */
function vectors({ register }: LocalApicInfo, offset: number): string {
  const set: number[] = [];
  for (let word = 0; word < VECTOR_WORDS; word++) {
    const bits = register(offset + word * 16);
    for (let bit = 0; bit < 32; bit++) if (((bits >>> bit) & 1) !== 0) set.push(word * 32 + bit);
  }
  return set.length === 0 ? '(none)' : set.join(' ');
}

/** The divide configuration: bits 0, 1 and 3 are a power of two, and 7 means 1. */
function divisor(value: number): number {
  const code = (value & 3) | ((value >>> 1) & 4);
  return 2 ** ((code + 1) % 8);
}

function describeIcr(value: number): string {
  const texts = [
    `ICR\t ${hex(value, 8)}`,
    (value & 0x800) !== 0 ? 'logical' : 'physical',
    (value & 0x8000) !== 0 ? 'level' : 'edge',
    (value & 0x4000) !== 0 ? 'assert' : 'de-assert',
    SHORTHANDS[(value >>> 18) & 3] ?? '',
  ];
  return texts.join(' ');
}

function describeApic(apic: LocalApicInfo): string[] {
  const { cpu, register } = apic;
  const spurious = register(APIC.spurious);
  const divide = register(APIC.timerDivide);
  const byte = (offset: number, shift: number): string =>
    hex((register(offset) >>> shift) & 0xff, 2);
  return [
    `dumping local APIC state for CPU ${cpu}`,
    '',
    ...LVTS.map(([name, offset]) => describeLvt(name, register(offset))),
    `Timer\t DCR=${hex(divide, 0)} (divide by ${divisor(divide)}) initial_count = ${register(APIC.timerInitial)} current_count = ${register(APIC.timerCurrent)}`,
    `SPIV\t ${hex(spurious, 8)} APIC ${(spurious & 0x100) !== 0 ? 'enabled' : 'disabled'}, focus=${(spurious & 0x200) !== 0 ? 'off' : 'on'}, spurious vec ${spurious & 0xff}`,
    describeIcr(register(APIC.icr)),
    `ICR2\t ${hex(register(APIC.icrHigh), 8)}`,
    `ESR\t ${hex(register(APIC.esr), 8)}`,
    `ISR\t ${vectors(apic, APIC.isr)}`,
    `IRR\t ${vectors(apic, APIC.irr)}`,
    '',
    `TPR ${byte(APIC.tpr, 0)} DFR ${hex(register(APIC.dfr) >>> 28, 2)} LDR ${byte(APIC.ldr, 24)} PPR ${byte(APIC.ppr, 0)}`,
  ];
}

export const infoLapic: MonitorCommand = {
  name: 'info lapic',
  parameters: [{ name: 'id', optional: true, kind: 'cpu' }],
  summary: "show the local APIC of the monitor's vCPU, or of another",
  run: async (args, { control, settings }) => {
    const asked = args.optional('id');
    const inspection = await control.inspect();
    const apic = await inspection.localApic(asked === undefined ? settings.cpu : parseCpu(asked));
    return lines(describeApic(apic));
  },
};
