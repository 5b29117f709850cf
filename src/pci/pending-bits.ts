import { readSized } from '../bytes.ts';
import type { IoHandler } from '../bus/io-space.ts';

/** The pending bit array of MSI-X (PCI 3.0 §6.8.2.10): read-only for the guest. */
export class PendingBits implements IoHandler {
  /** Bytes: 8 for each 64 vectors. */
  readonly size: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #count = 0;

  constructor(vectors: number) {
    this.size = Math.ceil(vectors / 64) * 8;
    this.#bytes = new Uint8Array(this.size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  read(offset: number, size: number): number {
    return readSized(this.#view, offset, size);
  }

  write(): void {
    // Software must not write here, and nothing happens when it does.
  }

  has(vector: number): boolean {
    return ((this.#bytes[vector >>> 3] ?? 0) & (1 << (vector & 7))) !== 0;
  }

  set(vector: number): void {
    if (this.has(vector)) return;
    this.#count += 1;
    this.#bytes[vector >>> 3] = (this.#bytes[vector >>> 3] ?? 0) | (1 << (vector & 7));
  }

  clear(vector: number): void {
    if (!this.has(vector)) return;
    this.#count -= 1;
    this.#bytes[vector >>> 3] = (this.#bytes[vector >>> 3] ?? 0) & ~(1 << (vector & 7));
  }

  clearAll(): void {
    this.#bytes.fill(0);
    this.#count = 0;
  }

  /** Calls back for each vector that is pending, ascending. */
  forEach(callback: (vector: number) => void): void {
    const limit = this.#count === 0 ? 0 : this.size * 8;
    for (let vector = 0; vector < limit; vector += 1) {
      if (this.has(vector)) callback(vector);
    }
  }
}
