/*
 * How long a queue is watched after its last request before the loop sleeps. All numbers that
 * decide it are here.
 *
 * A kick through an eventfd costs 2 µs back to back and some 35 µs once host and guest have gone
 * quiet; a request found by looking at the ring costs a fraction of a microsecond. Watching pays
 * when the next request comes within tens of microseconds, and burns a core when it does not.
 */
export const POLLING = {
  /** Longest window, ms. A driver that pauses longer between requests is woken by its kicks. */
  capMs: 0.2,
  /** First window, ms; one that shrinks below it becomes nothing. */
  firstMs: 0.025,
  /** Serving and watching in one turn of the event loop, ms; then other events have their turn. */
  turnMs: 1.5,
  /** Looks at the ring between two looks at the clock: the clock costs as much as three looks. */
  spins: 48,
} as const;

/** The window of one queue: grows while requests come within it, shrinks to nothing when not. */
export class PollWindow {
  #ms = 0;

  /** 0 to POLLING.capMs. */
  get ms(): number {
    return this.#ms;
  }

  /** A request came while the ring was being watched, `waitedMs` after the one before. */
  hit(waitedMs: number): void {
    if (waitedMs > this.#ms / 2) this.#grow();
  }

  /** A kick woke the queue, `quietMs` after the last request had been served. */
  woken(quietMs: number): void {
    if (quietMs <= POLLING.capMs) this.#grow();
    else if (this.#ms < 2 * POLLING.firstMs) this.#ms = 0;
    else this.#ms /= 2;
  }

  #grow(): void {
    this.#ms = Math.min(POLLING.capMs, Math.max(POLLING.firstMs, 2 * this.#ms));
  }
}
