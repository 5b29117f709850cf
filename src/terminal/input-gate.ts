/** Bytes that wait for a reader that has paused before their source is asked to stop. */
const HOLD_BACK_BYTES = 64 * 1024;

/** What input comes from; both may be called any number of times. */
export interface InputSource {
  pause(): void;
  resume(): void;
}

/**
 * Input on its way to a reader who may ask for a pause. Some of it waits here, so that a source is
 * still read, and its end noticed, meanwhile; beyond a bound it waits in the source, and from a
 * source that cannot wait it is dropped.
 */
export class InputGate {
  readonly #source: InputSource;
  #onData: ((bytes: Uint8Array) => void) | undefined;
  #onEnd: (() => void) | undefined;
  #paused = false;
  #ended = false;
  #flushing = false;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(source: InputSource) {
    this.#source = source;
  }

  onData(callback: (bytes: Uint8Array) => void): void {
    this.#onData = callback;
    this.#flush();
  }

  onEnd(callback: () => void): void {
    this.#onEnd = callback;
    this.#flush();
  }

  /** Takes bytes, which the reader then owns. @returns false when they were dropped */
  push(bytes: Uint8Array): boolean {
    if (this.#waitingBytes >= HOLD_BACK_BYTES) return false;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#flush();
    if (this.#waitingBytes >= HOLD_BACK_BYTES) this.#source.pause();
    return true;
  }

  /** Nothing more comes. The reader is told once it has taken what waits. */
  end(): void {
    this.#ended = true;
    this.#flush();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#flush();
  }

  #flush(): void {
    // A reader may pause and resume while it is being called: order is kept by the outer call.
    if (this.#flushing) return;
    this.#flushing = true;
    const held = this.#waitingBytes >= HOLD_BACK_BYTES;
    while (this.#isOpen()) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#waitingBytes -= next.length;
      this.#onData?.(next);
    }
    this.#flushing = false;
    if (held && this.#waitingBytes < HOLD_BACK_BYTES) this.#source.resume();
    if (this.#ended && this.#waiting.length === 0 && this.#isOpen()) this.#tellEnd();
  }

  #isOpen(): boolean {
    return !this.#paused && this.#onData !== undefined;
  }

  #tellEnd(): void {
    const callback = this.#onEnd;
    this.#onEnd = undefined;
    callback?.();
  }
}
