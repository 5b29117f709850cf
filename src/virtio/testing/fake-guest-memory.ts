import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';

interface FakeRegion {
  readonly gpa: number;
  readonly ram: boolean;
  readonly bytes: Uint8Array;
  /** One entry per byte of a sparse region: 1 where memory is plugged. */
  readonly plugged: Uint8Array | undefined;
}

/** What unplugged memory is filled with, so that a write into it shows. */
export const UNPLUGGED_FILL = 0xee;

/** Guest memory without a guest: RAM at 0 and, when asked for, a sparse region. */
export class FakeGuestMemory implements GuestMemoryAccess {
  readonly #regions: FakeRegion[];
  generation = 0;

  /**
   * @param ramSize  bytes of RAM from 0
   * @param sparse   a region that starts out unplugged
   */
  constructor(ramSize: number, sparse?: { readonly gpa: number; readonly size: number }) {
    this.#regions = [{ gpa: 0, ram: true, bytes: new Uint8Array(ramSize), plugged: undefined }];
    if (sparse === undefined) return;
    const { gpa, size } = sparse;
    const bytes = new Uint8Array(size).fill(UNPLUGGED_FILL);
    this.#regions.push({ gpa, ram: false, bytes, plugged: new Uint8Array(size) });
  }

  /** All bytes of RAM. */
  get ram(): Uint8Array {
    return this.#regions[0]?.bytes ?? new Uint8Array(0);
  }

  /** Gives memory to the guest, zeroed. */
  plug(gpa: number, length: number): void {
    this.#setPlugged(gpa, length, true);
  }

  /** Takes it away again. */
  unplug(gpa: number, length: number): void {
    this.#setPlugged(gpa, length, false);
    this.generation += 1;
  }

  /** What is there, plugged or not. */
  peek(gpa: number, length: number): Uint8Array {
    const region = this.#region(gpa, length);
    if (region === undefined) throw new RangeError(`no region at ${gpa}`);
    return region.bytes.subarray(gpa - region.gpa, gpa - region.gpa + length);
  }

  isUsable(gpa: number, length: number): boolean {
    return this.#find(gpa, length) !== undefined;
  }

  isRam(gpa: number, length: number): boolean {
    return this.#find(gpa, length)?.ram === true;
  }

  view(gpa: number, length: number): DataView | undefined {
    const region = this.#find(gpa, length);
    if (region === undefined) return undefined;
    return new DataView(region.bytes.buffer, gpa - region.gpa, length);
  }

  read(gpa: number, target: Uint8Array, length: number): boolean {
    const region = this.#find(gpa, length);
    if (region === undefined || target.length < length) return false;
    const from = gpa - region.gpa;
    for (let i = 0; i < length; i++) target[i] = region.bytes[from + i] ?? 0;
    return true;
  }

  write(gpa: number, source: Uint8Array, length: number): boolean {
    const region = this.#find(gpa, length);
    if (region === undefined || source.length < length) return false;
    const to = gpa - region.gpa;
    for (let i = 0; i < length; i++) region.bytes[to + i] = source[i] ?? 0;
    return true;
  }

  #region(gpa: number, length: number): FakeRegion | undefined {
    if (!Number.isSafeInteger(gpa) || gpa < 0 || length < 0) return undefined;
    for (const region of this.#regions) {
      const from = gpa - region.gpa;
      if (from >= 0 && from < region.bytes.length && from + length <= region.bytes.length) {
        return region;
      }
    }
    return undefined;
  }

  #find(gpa: number, length: number): FakeRegion | undefined {
    const region = this.#region(gpa, length);
    if (region?.plugged === undefined) return region;
    const from = gpa - region.gpa;
    return region.plugged.subarray(from, from + length).includes(0) ? undefined : region;
  }

  #setPlugged(gpa: number, length: number, plugged: boolean): void {
    const region = this.#region(gpa, length);
    if (region?.plugged === undefined) throw new RangeError(`no sparse region at ${gpa}`);
    const from = gpa - region.gpa;
    region.plugged.fill(plugged ? 1 : 0, from, from + length);
    region.bytes.fill(plugged ? 0 : UNPLUGGED_FILL, from, from + length);
  }
}
