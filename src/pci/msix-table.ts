import { readSized, writeSized } from '../bytes.ts';
import type { IoHandler } from '../bus/io-space.ts';

/** An entry (PCI 3.0 §6.8.2.6 to 6.8.2.9): offsets in bytes. */
const ENTRY_SIZE = 16;
const ADDRESS_LOW = 0;
const ADDRESS_HIGH = 4;
const DATA = 8;
const VECTOR_CONTROL = 12;
const MASK_BIT = 1;

/** The MSI-X table as the guest reads and writes it. */
export class MsixTable implements IoHandler {
  /** Bytes. */
  readonly size: number;
  readonly #vectors: number;
  readonly #view: DataView;
  readonly #changed: (vector: number) => void;
  /** 1 where the message is not what was sent last. */
  readonly #stale: Uint8Array;

  /** @param changed  told of each entry that the guest wrote to */
  constructor(vectors: number, changed: (vector: number) => void) {
    this.size = vectors * ENTRY_SIZE;
    this.#vectors = vectors;
    this.#view = new DataView(new ArrayBuffer(this.size));
    this.#stale = new Uint8Array(vectors);
    this.#changed = changed;
    this.reset();
  }

  read(offset: number, size: number): number {
    return readSized(this.#view, offset, size);
  }

  write(offset: number, size: number, value: number): void {
    writeSized(this.#view, offset, size, value);
    const first = Math.floor(offset / ENTRY_SIZE);
    const last = Math.floor((offset + size - 1) / ENTRY_SIZE);
    for (let vector = first; vector <= last; vector += 1) this.#settle(vector);
  }

  isMasked(vector: number): boolean {
    return (this.#view.getUint8(vector * ENTRY_SIZE + VECTOR_CONTROL) & MASK_BIT) !== 0;
  }

  addressLow(vector: number): number {
    return this.#view.getUint32(vector * ENTRY_SIZE + ADDRESS_LOW, true);
  }

  addressHigh(vector: number): number {
    return this.#view.getUint32(vector * ENTRY_SIZE + ADDRESS_HIGH, true);
  }

  data(vector: number): number {
    return this.#view.getUint32(vector * ENTRY_SIZE + DATA, true);
  }

  /** Whether the guest wrote to the entry since `markSent`. */
  isStale(vector: number): boolean {
    return this.#stale[vector] !== 0;
  }

  markSent(vector: number): void {
    this.#stale[vector] = 0;
  }

  /** All zeros, and masked. */
  reset(): void {
    new Uint8Array(this.#view.buffer).fill(0);
    for (let vector = 0; vector < this.#vectors; vector += 1) {
      this.#view.setUint8(vector * ENTRY_SIZE + VECTOR_CONTROL, MASK_BIT);
    }
    this.#stale.fill(1);
  }

  /** Puts reserved bits back to 0. */
  #settle(vector: number): void {
    const at = vector * ENTRY_SIZE;
    this.#view.setUint8(at + ADDRESS_LOW, this.#view.getUint8(at + ADDRESS_LOW) & 0xfc);
    const control = this.#view.getUint8(at + VECTOR_CONTROL) & MASK_BIT;
    this.#view.setUint32(at + VECTOR_CONTROL, control, true);
    this.#stale[vector] = 1;
    this.#changed(vector);
  }
}
