import type { NativeMapping } from '../../kvm/addon.ts';
import { MIB } from '../../units.ts';
import type { Discarder } from './discarder.ts';

/** Memory is zero or not in pieces of this size, which no block of a device is smaller than. */
const PIECE = MIB;
const ZERO = 0;
const USED = 1;
/** Bytes mapped at a time: a kernel without page structures sets up every page at once. */
const WINDOW = 64 * MIB;

export interface ZeroingOptions {
  /** Bytes. */
  readonly size: number;
  /** Bytes. */
  readonly pageSize: number;
  /** Maps a part of the memory once more. */
  readonly map: (offset: number, length: number) => NativeMapping;
}

/**
 * Memory that the host cannot take back (device-dax, memory kept from the kernel): it is filled with
 * zeros instead, on another thread, through mappings of its own, since those of the guest's memory
 * may be protected. What was never used is not written to again; what others may have left there
 * goes before the guest can see it.
 */
export class ZeroingDiscarder implements Discarder {
  readonly frees = false;
  readonly discardMethod = 'zero';
  readonly #options: ZeroingOptions;
  /** One entry per piece. */
  readonly #pieces: Uint8Array;

  constructor(options: ZeroingOptions) {
    this.#options = options;
    this.#pieces = new Uint8Array(Math.ceil(options.size / PIECE)).fill(USED);
  }

  async discard(offset: number, length: number): Promise<void> {
    const end = Math.ceil((offset + length) / PIECE);
    let first = this.#next(USED, Math.floor(offset / PIECE), end);
    while (first < end) {
      const last = this.#next(ZERO, first, end);
      await this.#zero(first * PIECE, Math.min(last * PIECE, this.#options.size));
      this.#pieces.fill(ZERO, first, last);
      first = this.#next(USED, last, end);
    }
  }

  probe(): void {
    // Nothing is ever given back.
  }

  /** What must be zero is made so by clear(), when the guest is about to get it. */
  empty(): Promise<number> {
    return Promise.resolve(0);
  }

  /** From now on the guest may write there. */
  clear(offset: number, length: number): void | Promise<void> {
    const first = Math.floor(offset / PIECE);
    const end = Math.ceil((offset + length) / PIECE);
    const used = (): void => {
      this.#pieces.fill(USED, first, end);
    };
    if (this.#next(USED, first, end) < end) return this.discard(offset, length).then(used);
    used();
  }

  async #zero(start: number, end: number): Promise<void> {
    const step = Math.max(WINDOW, this.#options.pageSize);
    for (let at = start; at < end; at += step) {
      const length = Math.min(step, end - at);
      const window = this.#options.map(at, length);
      try {
        await window.zero(0, length);
      } finally {
        window.close();
      }
    }
  }

  /** The first piece from `from` on in this state, or `end`. */
  #next(state: number, from: number, end: number): number {
    const found = this.#pieces.subarray(from, end).indexOf(state);
    return found < 0 ? end : from + found;
  }
}
