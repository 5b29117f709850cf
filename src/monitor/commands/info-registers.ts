import { ConfigError } from '../../errors.ts';
import type { CpuRegisters, DescriptorTable, Segment } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines, printable } from '../text.ts';

/** Bits of RFLAGS that are shown as letters, from the left. */
const FLAG_LETTERS = [
  [11, 'O'],
  [10, 'D'],
  [9, 'I'],
  [7, 'S'],
  [6, 'Z'],
  [4, 'A'],
  [2, 'P'],
  [0, 'C'],
] as const;
const EFER_LMA = 1n << 10n;
const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
/** System segment types (Intel SDM 3A, table 3-2), in 32-bit and in long mode. */
const SYSTEM_TYPES: Readonly<Record<number, readonly [legacy: string, long: string]>> = {
  1: ['TSS16-avl', 'Reserved'],
  2: ['LDT', 'LDT'],
  3: ['TSS16-busy', 'Reserved'],
  4: ['CallGate16', 'Reserved'],
  5: ['TaskGate', 'Reserved'],
  6: ['IntGate16', 'Reserved'],
  7: ['TrapGate16', 'Reserved'],
  9: ['TSS32-avl', 'TSS64-avl'],
  11: ['TSS32-busy', 'TSS64-busy'],
  12: ['CallGate32', 'CallGate64'],
  14: ['IntGate32', 'IntGate64'],
  15: ['TrapGate32', 'TrapGate64'],
};

function digits(value: bigint | number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

function isLong({ special }: CpuRegisters): boolean {
  return (special.efer & EFER_LMA) !== 0n;
}

function generalLines(cpu: CpuRegisters): string[] {
  const { general, special } = cpu;
  const wide = isLong(cpu) && special.cs.l === 1;
  const width = wide ? 16 : 8;
  const show = (label: string, value: bigint): string =>
    `${label}=${digits(BigInt.asUintN(width * 4, value), width)}`;
  const old = (prefix: string): string[] =>
    [
      [`AX`, general.rax, `BX`, general.rbx, `CX`, general.rcx, `DX`, general.rdx] as const,
      [`SI`, general.rsi, `DI`, general.rdi, `BP`, general.rbp, `SP`, general.rsp] as const,
    ].map(([a, av, b, bv, c, cv, d, dv]) =>
      [show(prefix + a, av), show(prefix + b, bv), show(prefix + c, cv), show(prefix + d, dv)].join(
        ' ',
      ),
    );
  if (!wide) return [...old('E'), `${show('EIP', general.rip)} ${statusText(cpu)}`];
  return [
    ...old('R'),
    [
      show('R8 ', general.r8),
      show('R9 ', general.r9),
      show('R10', general.r10),
      show('R11', general.r11),
    ].join(' '),
    [
      show('R12', general.r12),
      show('R13', general.r13),
      show('R14', general.r14),
      show('R15', general.r15),
    ].join(' '),
    `${show('RIP', general.rip)} ${statusText(cpu)}`,
  ];
}

/** Flags and modes; the address line A20 is always on, and there is no SMM. */
function statusText({ general, special, halted }: CpuRegisters): string {
  const { rflags } = general;
  const letters = FLAG_LETTERS.map(([bit, letter]) =>
    (rflags >> BigInt(bit)) & 1n ? letter : '-',
  );
  return (
    `RFL=${digits(rflags, 8)} [${letters.join('')}] ` +
    `CPL=${special.ss.dpl} II=0 A20=1 SMM=0 HLT=${halted ? 1 : 0}`
  );
}

/** The second word of a descriptor, as it would be in memory, less base and limit. */
function attributes(segment: Segment): number {
  const { type, s, dpl, present, avl, l, db, g } = segment;
  return (
    (type << 8) |
    (s << 12) |
    (dpl << 13) |
    (present << 15) |
    (avl << 20) |
    (l << 21) |
    (db << 22) |
    (g << 23)
  );
}

/** What the type of a segment means: `CS64 [-R-]`, `DS   [-WA]`, `TSS64-busy`. */
function typeText(segment: Segment, long: boolean): string {
  const { type, s, l, db, present } = segment;
  if (present === 0) return '';
  const dpl = ` DPL=${segment.dpl} `;
  if (s === 0) return `${dpl}${SYSTEM_TYPES[type]?.[long ? 1 : 0] ?? 'Reserved'}`;
  const accessed = (type & 1) !== 0 ? 'A' : '-';
  const second = (type & 4) !== 0;
  if ((type & 8) !== 0) {
    const name = l === 1 ? 'CS64' : db === 1 ? 'CS32' : 'CS16';
    return `${dpl}${name} [${second ? 'C' : '-'}${(type & 2) !== 0 ? 'R' : '-'}${accessed}]`;
  }
  const name = long || db === 1 ? 'DS  ' : 'DS16';
  return `${dpl}${name} [${second ? 'E' : '-'}${(type & 2) !== 0 ? 'W' : '-'}${accessed}]`;
}

function segmentLine(name: string, segment: Segment, long: boolean): string {
  const { selector, base, limit } = segment;
  const where = `${digits(selector, 4)} ${digits(base, long ? 16 : 8)} ${digits(limit, 8)}`;
  const text = `${name.toUpperCase().padEnd(3)}=${where} ${digits(attributes(segment), 8)}`;
  return `${text}${typeText(segment, long)}`;
}

function tableLine(name: string, { base, limit }: DescriptorTable, long: boolean): string {
  return `${name}=     ${digits(base, long ? 16 : 8)} ${digits(limit, 8)}`;
}

function controlLines({ special, debug }: CpuRegisters, long: boolean): string[] {
  const width = long ? 16 : 8;
  const { cr0, cr2, cr3, cr4, efer } = special;
  return [
    `CR0=${digits(cr0, 8)} CR2=${digits(cr2, width)} CR3=${digits(cr3, width)} CR4=${digits(cr4, 8)}`,
    debug.db.map((value, index) => `DR${index}=${digits(value, width)}`).join(' ') + ' ',
    `DR6=${digits(debug.dr6, width)} DR7=${digits(debug.dr7, width)}`,
    `EFER=${digits(efer, 16)}`,
  ];
}

/** Cells, so many in a line. */
function grid(cells: readonly string[], columns: number): string[] {
  const texts: string[] = [];
  for (let at = 0; at < cells.length; at += columns) {
    texts.push(cells.slice(at, at + columns).join(' '));
  }
  return texts;
}

function fpuLines({ fpu }: CpuRegisters): string[] {
  const { fcw, fsw, ftw, mxcsr } = fpu;
  const top = (fsw >> 11) & 7;
  return [
    `FCW=${digits(fcw, 4)} FSW=${digits(fsw, 4)} [ST=${top}] FTW=${digits(ftw, 2)} MXCSR=${digits(mxcsr, 8)}`,
    ...grid(
      fpu.fpr.map(
        ({ mantissa, exponent }, index) =>
          `FPR${index}=${digits(mantissa, 16)} ${digits(exponent, 4)}`,
      ),
      2,
    ),
    ...grid(
      fpu.xmm.map((value, index) => `XMM${String(index).padStart(2, '0')}=${digits(value, 32)}`),
      2,
    ),
  ];
}

/** All registers of one vCPU. */
export function describeRegisters(id: number, cpu: CpuRegisters): string[] {
  const long = isLong(cpu);
  const { special } = cpu;
  return [
    `CPU#${id}`,
    ...generalLines(cpu),
    ...SEGMENT_NAMES.map((name) => segmentLine(name, special[name], long)),
    segmentLine('ldt', special.ldt, long),
    segmentLine('tr', special.tr, long),
    tableLine('GDT', special.gdt, long),
    tableLine('IDT', special.idt, long),
    ...controlLines(cpu, long),
    ...fpuLines(cpu),
  ];
}

/** @throws ConfigError when it is not a number */
export function parseCpu(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new ConfigError('BAD_VALUE', `vcpu=${printable(text, 20)}: not the number of a vCPU`);
}

export const infoRegisters: MonitorCommand = {
  name: 'info registers',
  parameters: [
    { name: '-a', optional: true },
    { name: 'vcpu', optional: true, kind: 'cpu' },
  ],
  summary: "show the registers of the monitor's vCPU, or another (-a: of all)",
  details:
    'The vCPUs are parked for the moment it takes, between two instructions, and go on; a machine that ' +
    'is stopped stays so.',
  run: async (args, { control, settings }) => {
    const inspection = await control.inspect();
    const asked = args.optional('vcpu');
    const one = asked === undefined ? settings.cpu : parseCpu(asked);
    const ids = args.has('-a') ? control.cpus().map(({ id }) => id) : [one];
    const texts: string[] = [];
    for (const id of ids) {
      if (texts.length > 0) texts.push('');
      texts.push(...describeRegisters(id, await inspection.registers(id)));
    }
    return lines(texts);
  },
};
