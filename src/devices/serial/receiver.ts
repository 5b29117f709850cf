import type { SerialBackend } from './backend.ts';
import { FIFO_DEPTH } from './registers.ts';

/** Input waiting for the guest, in bytes. Above `PAUSE_AT` the backend is asked to hold. */
const CAPACITY = 128 * 1024;
const PAUSE_AT = 4096;
const RESUME_BELOW = 1024;

/**
 * The receiving half: the FIFO that the guest sees, fed from a bounded queue that stands for the
 * wire. A character never overruns the FIFO: it waits on the wire.
 */
export class Receiver {
  readonly #backend: SerialBackend;
  readonly #wire = new Uint8Array(CAPACITY);
  #wireHead = 0;
  #wireCount = 0;
  #paused = false;
  #dropped = 0;
  readonly #fifo = new Uint8Array(FIFO_DEPTH);
  #head = 0;
  #count = 0;
  #depth = 1;

  constructor(backend: SerialBackend) {
    this.#backend = backend;
  }

  /** Characters in the FIFO. */
  get count(): number {
    return this.#count;
  }

  /** Characters waiting behind the FIFO. */
  get waiting(): number {
    return this.#wireCount;
  }

  /** Characters lost because the backend sent far more after `pauseInput`. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Empties the FIFO; what is on the wire still comes. */
  clear(): void {
    this.#count = 0;
  }

  /** @param depth  1 or FIFO_DEPTH; empties the FIFO when it changes */
  setDepth(depth: number): void {
    if (depth === this.#depth) return;
    this.#depth = depth;
    this.clear();
  }

  /** Puts input on the wire. */
  accept(bytes: Uint8Array): void {
    const taken = Math.min(bytes.length, CAPACITY - this.#wireCount);
    this.#dropped += bytes.length - taken;
    const start = (this.#wireHead + this.#wireCount) % CAPACITY;
    const first = Math.min(taken, CAPACITY - start);
    this.#wire.set(bytes.subarray(0, first), start);
    this.#wire.set(bytes.subarray(first, taken), 0);
    this.#wireCount += taken;
    if (!this.#paused && this.#wireCount >= PAUSE_AT) {
      this.#paused = true;
      this.#backend.pauseInput();
    }
  }

  /** Moves characters from the wire into the FIFO while it has room. */
  fill(): void {
    while (this.#wireCount > 0 && this.#count < this.#depth) {
      this.push(this.#wire[this.#wireHead] ?? 0);
      this.#wireHead = (this.#wireHead + 1) % CAPACITY;
      this.#wireCount -= 1;
    }
    if (this.#paused && this.#wireCount < RESUME_BELOW) {
      this.#paused = false;
      this.#backend.resumeInput();
    }
  }

  /** Puts one character into the FIFO; one that finds it full is lost. */
  push(byte: number): void {
    if (this.#count === this.#depth) return;
    this.#fifo[(this.#head + this.#count) % FIFO_DEPTH] = byte;
    this.#count += 1;
  }

  /** Takes the oldest character; 0 when there is none. */
  pop(): number {
    if (this.#count === 0) return 0;
    const byte = this.#fifo[this.#head] ?? 0;
    this.#head = (this.#head + 1) % FIFO_DEPTH;
    this.#count -= 1;
    return byte;
  }
}
