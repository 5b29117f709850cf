import type { IoHandler } from './io-space.ts';

/*
 * Registers as data. An access that covers exactly one register goes to it. Otherwise:
 *
 * - A read collects the bytes it covers, from one read of each register it touches; registers
 *   without `read` give 0.
 * - A write gives each register that it covers wholly its part, lowest first. A register that it
 *   covers in part follows its `narrow`: `ignore` (the default) drops the write, `merge` reads the
 *   register, replaces the bytes and writes it back.
 *
 * Drivers use the natural width, and 64-bit fields as two registers (virtio 1.3 §4.1.3.1): all but
 * the exact access is for drivers that do not, and for guests that try.
 */

interface Value {
  readonly name: string;
  /** Bytes. */
  readonly size: 1 | 2 | 4;
  /** Absent: reads as 0. */
  readonly read?: () => number;
  /** Absent: writes are ignored. */
  readonly write?: (value: number) => void;
  readonly narrow?: 'ignore' | 'merge';
}

interface Block {
  readonly name: string;
  /** Bytes, any number. Absent `block`: reserved, reads as 0. */
  readonly size: number;
  /** Serves whatever falls wholly inside; offsets count from the start of the block. */
  readonly block: IoHandler | undefined;
}

/** A register, a block of them with a handler of its own, or reserved bytes. */
export type Register = Value | Block;

export interface RegisterMapOptions {
  /** For messages. */
  readonly name: string;
  /** What the registers must add up to, in bytes. */
  readonly size: number;
  /** In the order of the standard, without gaps. */
  readonly registers: readonly Register[];
}

/** Bytes that read as 0 and ignore writes. */
export function reserved(size: number): Register {
  return { name: 'reserved', size, block: undefined };
}

interface Slot {
  readonly register: Register;
  readonly offset: number;
}

/** Takes `bytes` bytes of `value`, from byte `from` on. */
function slice(value: number, from: number, bytes: number): number {
  return Math.floor(value / 2 ** (8 * from)) % 2 ** (8 * bytes);
}

function readBlock(block: IoHandler | undefined, offset: number, bytes: number): number {
  if (block === undefined) return 0;
  if (bytes !== 3) return block.read(offset, bytes);
  return block.read(offset, 2) + block.read(offset + 2, 1) * 2 ** 16;
}

function writeBlock(block: IoHandler | undefined, at: number, bytes: number, value: number): void {
  if (bytes !== 3) {
    block?.write(at, bytes, value);
    return;
  }
  block?.write(at, 2, slice(value, 0, 2));
  block?.write(at + 2, 1, slice(value, 2, 1));
}

/** Reads `bytes` bytes that lie wholly inside a register. */
function readPart({ register, offset }: Slot, at: number, bytes: number): number {
  const from = at - offset;
  if ('block' in register) return readBlock(register.block, from, bytes);
  const value = register.read?.() ?? 0;
  return bytes === register.size ? value : slice(value, from, bytes);
}

/** Writes `bytes` bytes that lie wholly inside a register. */
function writePart({ register, offset }: Slot, at: number, bytes: number, value: number): void {
  const from = at - offset;
  if ('block' in register) {
    writeBlock(register.block, from, bytes, value);
  } else if (bytes === register.size) {
    register.write?.(value);
  } else if (register.narrow === 'merge') {
    const old = register.read?.() ?? 0;
    register.write?.(old + (value - slice(old, from, bytes)) * 2 ** (8 * from));
  }
}

class RegisterMap implements IoHandler {
  readonly #slots: Slot[] = [];
  /** Index into `#slots` for each byte. */
  readonly #slotOf: Uint16Array;

  constructor({ name, size, registers }: RegisterMapOptions) {
    this.#slotOf = new Uint16Array(size);
    let offset = 0;
    for (const register of registers) {
      this.#slotOf.fill(this.#slots.length, offset, offset + register.size);
      this.#slots.push({ register, offset });
      offset += register.size;
    }
    if (offset !== size) {
      throw new RangeError(`${name}: the registers take ${offset} bytes and not ${size}`);
    }
  }

  read(offset: number, size: number): number {
    const end = offset + size;
    let value = 0;
    let at = offset;
    while (at < end) {
      const slot = this.#slotAt(at);
      if (slot === undefined) return value;
      const next = Math.min(end, slot.offset + slot.register.size);
      value += readPart(slot, at, next - at) * 2 ** (8 * (at - offset));
      at = next;
    }
    return value;
  }

  write(offset: number, size: number, value: number): void {
    const end = offset + size;
    let at = offset;
    while (at < end) {
      const slot = this.#slotAt(at);
      if (slot === undefined) return;
      const next = Math.min(end, slot.offset + slot.register.size);
      writePart(slot, at, next - at, slice(value, at - offset, next - at));
      at = next;
    }
  }

  #slotAt(offset: number): Slot | undefined {
    const index = this.#slotOf[offset];
    return index === undefined ? undefined : this.#slots[index];
  }
}

/**
 * A handler made of registers: accesses of 1, 2 or 4 bytes as described above; offsets beyond the
 * map read as 0. Allocates nothing per access.
 *
 * @throws RangeError when the registers do not add up to `size`
 */
export function registerMap(options: RegisterMapOptions): IoHandler {
  return new RegisterMap(options);
}
