/*
 * Registers of a vCPU by name, and as KVM's structures: struct kvm_regs and struct kvm_sregs of
 * KVM API 4.11 to 4.14 (x86), little-endian.
 */

/** In the order of struct kvm_regs. */
export const REGISTER_NAMES = [
  'rax',
  'rbx',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'rsp',
  'rbp',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
  'rip',
  'rflags',
] as const;
export type RegisterName = (typeof REGISTER_NAMES)[number];
export type Registers = Readonly<Record<RegisterName, bigint>>;

export const REGS_BYTES = REGISTER_NAMES.length * 8;

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

const SEGMENT_NAMES = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const;
const TABLE_NAMES = ['gdt', 'idt'] as const;
const CONTROL_NAMES = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'] as const;

export type SpecialRegisters = Readonly<
  Record<(typeof SEGMENT_NAMES)[number], Segment> &
    Record<(typeof TABLE_NAMES)[number], DescriptorTable> &
    Record<(typeof CONTROL_NAMES)[number], bigint>
> & {
  /** Vectors that were to be injected, one bit each: 256 bits, lowest first. */
  readonly interruptBitmap: readonly bigint[];
};

const SEGMENT_BYTES = 24;
const TABLE_BYTES = 16;
const TABLES = SEGMENT_NAMES.length * SEGMENT_BYTES;
const CONTROLS = TABLES + TABLE_NAMES.length * TABLE_BYTES;
const BITMAP = CONTROLS + CONTROL_NAMES.length * 8;
const BITMAP_WORDS = 4;
export const SREGS_BYTES = BITMAP + BITMAP_WORDS * 8;

/** Flags of a segment: consecutive bytes from offset 14. */
const SEGMENT_FLAGS = 14;

function viewOf(bytes: Uint8Array, size: number): DataView {
  if (bytes.length !== size) throw new RangeError(`${bytes.length} bytes and not ${size}`);
  return new DataView(bytes.buffer, bytes.byteOffset, size);
}

/** Makes an object with these keys; the values are computed in order. */
function build<Name extends string, Value>(
  names: readonly Name[],
  value: (index: number) => Value,
): Record<Name, Value> {
  const entries = names.map((name, index) => [name, value(index)] as const);
  return fromEntries(entries);
}

function fromEntries<Name extends string, Value>(
  entries: readonly (readonly [Name, Value])[],
): Record<Name, Value> {
  // The type of Object.fromEntries forgets the names.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-type-assertion
  return Object.fromEntries(entries) as Record<Name, Value>;
}

export function decodeRegisters(bytes: Uint8Array): Registers {
  const view = viewOf(bytes, REGS_BYTES);
  return build(REGISTER_NAMES, (index) => view.getBigUint64(index * 8, true));
}

export function encodeRegisters(registers: Registers): Uint8Array {
  const view = new DataView(new ArrayBuffer(REGS_BYTES));
  REGISTER_NAMES.forEach((name, index) => {
    view.setBigUint64(index * 8, registers[name], true);
  });
  return new Uint8Array(view.buffer);
}

function decodeSegment(view: DataView, at: number): Segment {
  const flag = (index: number): number => view.getUint8(at + SEGMENT_FLAGS + index);
  return {
    base: view.getBigUint64(at, true),
    limit: view.getUint32(at + 8, true),
    selector: view.getUint16(at + 12, true),
    type: flag(0),
    present: flag(1),
    dpl: flag(2),
    db: flag(3),
    s: flag(4),
    l: flag(5),
    g: flag(6),
    avl: flag(7),
  };
}

function encodeSegment(view: DataView, at: number, segment: Segment): void {
  const { type, present, dpl, db, s, l, g, avl } = segment;
  view.setBigUint64(at, segment.base, true);
  view.setUint32(at + 8, segment.limit, true);
  view.setUint16(at + 12, segment.selector, true);
  [type, present, dpl, db, s, l, g, avl, present === 0 ? 1 : 0].forEach((value, index) => {
    view.setUint8(at + SEGMENT_FLAGS + index, value);
  });
}

export function decodeSpecialRegisters(bytes: Uint8Array): SpecialRegisters {
  const view = viewOf(bytes, SREGS_BYTES);
  const table = (at: number): DescriptorTable => ({
    base: view.getBigUint64(at, true),
    limit: view.getUint16(at + 8, true),
  });
  return {
    ...build(SEGMENT_NAMES, (index) => decodeSegment(view, index * SEGMENT_BYTES)),
    ...build(TABLE_NAMES, (index) => table(TABLES + index * TABLE_BYTES)),
    ...build(CONTROL_NAMES, (index) => view.getBigUint64(CONTROLS + index * 8, true)),
    interruptBitmap: Array.from({ length: BITMAP_WORDS }, (_, index) =>
      view.getBigUint64(BITMAP + index * 8, true),
    ),
  };
}

export function encodeSpecialRegisters(registers: SpecialRegisters): Uint8Array {
  const view = new DataView(new ArrayBuffer(SREGS_BYTES));
  SEGMENT_NAMES.forEach((name, index) => {
    encodeSegment(view, index * SEGMENT_BYTES, registers[name]);
  });
  TABLE_NAMES.forEach((name, index) => {
    view.setBigUint64(TABLES + index * TABLE_BYTES, registers[name].base, true);
    view.setUint16(TABLES + index * TABLE_BYTES + 8, registers[name].limit, true);
  });
  CONTROL_NAMES.forEach((name, index) => {
    view.setBigUint64(CONTROLS + index * 8, registers[name], true);
  });
  registers.interruptBitmap.slice(0, BITMAP_WORDS).forEach((word, index) => {
    view.setBigUint64(BITMAP + index * 8, word, true);
  });
  return new Uint8Array(view.buffer);
}
