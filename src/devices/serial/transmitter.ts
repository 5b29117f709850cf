import type { SerialBackend } from './backend.ts';

/**
 * Bytes held at most. A guest that obeys LSR cannot reach it: when the backend fills up, what is
 * still to come are the posted writes in flight (the ring's 1024) and one FIFO per vCPU.
 */
const LIMIT = 8192;
/** Bytes handed on without waiting for the end of the drain. */
const BATCH = 4096;

/** Gathers what the guest sends and hands it to the backend once per drain of posted writes. */
export class Transmitter {
  readonly #backend: SerialBackend;
  readonly #changed: () => void;
  readonly #bytes = new Uint8Array(LIMIT);
  #count = 0;
  #full = false;
  #scheduled = false;
  #sent = 0;
  #dropped = 0;
  readonly #onMicrotask = (): void => {
    this.#scheduled = false;
    this.flush();
    this.#changed();
  };

  /** @param changed  called after each batch handed over here, and when there is room again */
  constructor(backend: SerialBackend, changed: () => void) {
    this.#backend = backend;
    this.#changed = changed;
    backend.onDrain(() => {
      this.#full = false;
      this.flush();
      this.#changed();
    });
  }

  /** Whether the backend asked to wait. */
  get full(): boolean {
    return this.#full;
  }

  /** Bytes handed to the backend so far, and bytes lost of a guest that ignores LSR. */
  get counters(): { readonly sent: number; readonly dropped: number; readonly held: number } {
    return { sent: this.#sent, dropped: this.#dropped, held: this.#count };
  }

  push(byte: number): void {
    if (this.#count === LIMIT) {
      this.#dropped += 1;
      return;
    }
    this.#bytes[this.#count] = byte;
    this.#count += 1;
    if (this.#full) return;
    if (this.#count >= BATCH) {
      this.flush();
      this.#changed();
    } else if (!this.#scheduled) {
      // The microtask runs when the callback that drains the ring returns: once per drain.
      this.#scheduled = true;
      queueMicrotask(this.#onMicrotask);
    }
  }

  /** Hands over what has been gathered, unless the backend is full. */
  flush(): void {
    if (this.#full || this.#count === 0) return;
    const batch = this.#bytes.subarray(0, this.#count);
    this.#count = 0;
    this.#sent += batch.length;
    this.#full = !this.#backend.write(batch);
  }
}
