import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';
import type { RamRange } from '../../memory/layout.ts';

interface Region extends RamRange {
  readonly bytes: Uint8Array;
}

/** Guest memory in plain arrays: RAM only, which nobody takes away. */
export class ArrayMemory implements GuestMemoryAccess {
  readonly generation = 0;
  readonly #regions: readonly Region[];
  /** Bytes written so far. */
  written = 0;

  constructor(ram: readonly RamRange[]) {
    this.#regions = ram.map((range) => ({ ...range, bytes: new Uint8Array(range.size) }));
  }

  /**
   * Fills the beginning of each range, as if a guest had used it.
   *
   * @param length  bytes: a large guest should not take as much of the host
   */
  fill(value: number, length: number): void {
    for (const { bytes } of this.#regions) bytes.fill(value, 0, length);
  }

  /** @throws Error when the range is not RAM */
  slice(gpa: number, length: number): Uint8Array {
    const found = this.#find(gpa, length);
    if (found === undefined) throw new Error(`${gpa}: ${length} bytes are not RAM`);
    return found;
  }

  isUsable(gpa: number, length: number): boolean {
    return this.#find(gpa, length) !== undefined;
  }

  isRam(gpa: number, length: number): boolean {
    return this.isUsable(gpa, length);
  }

  view(gpa: number, length: number): DataView | undefined {
    const found = this.#find(gpa, length);
    return found && new DataView(found.buffer, found.byteOffset, found.byteLength);
  }

  read(gpa: number, target: Uint8Array, length: number): boolean {
    const found = this.#find(gpa, length);
    if (found === undefined) return false;
    target.set(found);
    return true;
  }

  write(gpa: number, source: Uint8Array, length: number): boolean {
    const found = this.#find(gpa, length);
    if (found === undefined) return false;
    found.set(source.subarray(0, length));
    this.written += length;
    return true;
  }

  #find(gpa: number, length: number): Uint8Array | undefined {
    const region = this.#regions.find((it) => it.gpa <= gpa && gpa + length <= it.gpa + it.size);
    return region?.bytes.subarray(gpa - region.gpa, gpa - region.gpa + length);
  }
}
