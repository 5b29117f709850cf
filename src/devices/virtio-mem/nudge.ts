/** The first nudge after a BUSY, and the longest wait between two, in milliseconds. */
const FIRST_MS = 2_000;
const LONGEST_MS = 60_000;

/**
 * Reminds the driver to try again after an answer of BUSY: Linux by itself waits 50 s and more, but
 * a config interrupt, which a device may send at any time, makes it try at once
 * (virtio 1.3 §5.15.5). Waits twice as long after each that did not help.
 */
export class Nudge {
  readonly #send: () => void;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = FIRST_MS;
  #sent = 0;

  /** @param send  sends the interrupt */
  constructor(send: () => void) {
    this.#send = send;
  }

  /** Nudges sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /** A request was answered BUSY. */
  wasBusy(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_MS);
      this.now();
    }, this.#waitMs);
    this.#timer.unref();
  }

  /** What requests were refused for is gone: reminds the driver without waiting. */
  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sent += 1;
    this.#send();
  }

  /** A request went through, or there is nobody to remind. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waitMs = FIRST_MS;
  }
}
