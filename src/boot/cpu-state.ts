import { GDT_BASE, PAGE_TABLE_BASE } from './low-memory.ts';

/*
 * The state in which the boot processor begins, as plain data: names and meanings are those of
 * the processor's manuals and of KVM_SET_REGS and KVM_SET_SREGS.
 */

export interface GeneralRegisters {
  readonly rax: bigint;
  readonly rbx: bigint;
  readonly rcx: bigint;
  readonly rdx: bigint;
  readonly rsi: bigint;
  readonly rdi: bigint;
  readonly rsp: bigint;
  readonly rbp: bigint;
  readonly r8: bigint;
  readonly r9: bigint;
  readonly r10: bigint;
  readonly r11: bigint;
  readonly r12: bigint;
  readonly r13: bigint;
  readonly r14: bigint;
  readonly r15: bigint;
  readonly rip: bigint;
  readonly rflags: bigint;
}

/** A segment register with its hidden part. Every field but `base` and `limit` is a flag or code. */
export interface Segment {
  readonly selector: number;
  readonly base: bigint;
  /** Last valid offset, in bytes. */
  readonly limit: number;
  readonly type: number;
  /** 0: the register is unusable. */
  readonly present: number;
  readonly dpl: number;
  readonly db: number;
  /** 1 for code and data, 0 for system segments. */
  readonly s: number;
  readonly l: number;
  readonly g: number;
  readonly avl: number;
}

export interface DescriptorTable {
  readonly base: bigint;
  /** Last valid offset, in bytes. */
  readonly limit: number;
}

export interface Segments {
  readonly cs: Segment;
  readonly ds: Segment;
  readonly es: Segment;
  readonly fs: Segment;
  readonly gs: Segment;
  readonly ss: Segment;
  readonly tr: Segment;
  readonly ldt: Segment;
}

/** Protected mode without paging, or long mode with the first 4 GiB mapped one to one. */
export type CpuMode = 'protected32' | 'long64';

export interface InitialCpuState {
  readonly mode: CpuMode;
  readonly registers: GeneralRegisters;
  readonly segments: Segments;
  readonly gdt: DescriptorTable;
  readonly idt: DescriptorTable;
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
}

const CR0_PE = 1n;
/** Fixed to 1 on every processor of today. */
const CR0_ET = 1n << 4n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;
/** The bit that is always set; interrupts are off. */
const RFLAGS_RESERVED = 2n;

/** Selectors that Linux's boot protocol asks for (`__BOOT_CS`, `__BOOT_DS`). */
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const TASK_SELECTOR = 0x20;
/** Null, unused, code, data, and a task descriptor of two entries in long mode. */
const GDT_ENTRIES = 6;

const EXECUTE_READ_ACCESSED = 0xb;
const READ_WRITE_ACCESSED = 0x3;
const BUSY_TSS = 0xb;
const FLAT_LIMIT = 0xffff_ffff;

const FLAT: Segment = {
  selector: 0,
  base: 0n,
  limit: FLAT_LIMIT,
  type: 0,
  present: 1,
  dpl: 0,
  db: 0,
  s: 1,
  l: 0,
  g: 1,
  avl: 0,
};

const DATA: Segment = { ...FLAT, selector: DATA_SELECTOR, type: READ_WRITE_ACCESSED, db: 1 };
const TASK: Segment = {
  ...FLAT,
  selector: TASK_SELECTOR,
  limit: 0x67,
  type: BUSY_TSS,
  s: 0,
  g: 0,
};
const UNUSABLE: Segment = { ...FLAT, limit: 0, present: 0, s: 0, g: 0 };

function code(mode: CpuMode): Segment {
  const is64 = mode === 'long64' ? 1 : 0;
  return {
    ...FLAT,
    selector: CODE_SELECTOR,
    type: EXECUTE_READ_ACCESSED,
    db: 1 - is64,
    l: is64,
  };
}

/** The eight bytes that a segment register is loaded from. */
function descriptor(segment: Segment): bigint {
  const limit = BigInt(segment.g === 1 ? Math.floor(segment.limit / 4096) : segment.limit);
  const access = segment.type | (segment.s << 4) | (segment.dpl << 5) | (segment.present << 7);
  const flags = segment.avl | (segment.l << 1) | (segment.db << 2) | (segment.g << 3);
  return (
    (limit & 0xffffn) |
    ((segment.base & 0xff_ffffn) << 16n) |
    (BigInt(access) << 40n) |
    (((limit >> 16n) & 0xfn) << 48n) |
    (BigInt(flags) << 52n) |
    (((segment.base >> 24n) & 0xffn) << 56n)
  );
}

/** The descriptor table at GDT_BASE: what the segment registers hold, for whoever reloads them. */
export function globalDescriptorTable(mode: CpuMode): Uint8Array {
  const table = new BigUint64Array(GDT_ENTRIES);
  for (const segment of [code(mode), DATA, TASK]) {
    table[segment.selector / 8] = descriptor(segment);
  }
  return new Uint8Array(table.buffer);
}

const CLEARED: GeneralRegisters = {
  rax: 0n,
  rbx: 0n,
  rcx: 0n,
  rdx: 0n,
  rsi: 0n,
  rdi: 0n,
  rsp: 0n,
  rbp: 0n,
  r8: 0n,
  r9: 0n,
  r10: 0n,
  r11: 0n,
  r12: 0n,
  r13: 0n,
  r14: 0n,
  r15: 0n,
  rip: 0n,
  rflags: RFLAGS_RESERVED,
};

/**
 * @param mode       `long64` relies on `identityPageTables` and both on `globalDescriptorTable`
 * @param registers  those that are not zero
 */
export function initialCpuState(
  mode: CpuMode,
  registers: Partial<GeneralRegisters> & { readonly rip: bigint },
): InitialCpuState {
  const isLong = mode === 'long64';
  return {
    mode,
    registers: { ...CLEARED, ...registers },
    segments: {
      cs: code(mode),
      ds: DATA,
      es: DATA,
      fs: DATA,
      gs: DATA,
      ss: DATA,
      tr: TASK,
      ldt: UNUSABLE,
    },
    gdt: { base: BigInt(GDT_BASE), limit: 8 * GDT_ENTRIES - 1 },
    idt: { base: 0n, limit: 0 },
    cr0: CR0_PE | CR0_ET | (isLong ? CR0_PG : 0n),
    cr3: isLong ? BigInt(PAGE_TABLE_BASE) : 0n,
    cr4: isLong ? CR4_PAE : 0n,
    efer: isLong ? EFER_LME | EFER_LMA : 0n,
  };
}
