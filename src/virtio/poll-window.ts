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
  /** What a request saves that is found by watching, ms: the way of a kick. */
  kickMs: 0.03,
  /** How much time more than that may be lost to windows that passed in vain, ms. */
  lossMs: 0.25,
  /** Kicks until it is tried again after that: the first time, and at most; it doubles. */
  retryKicks: 8,
  retryKicksCap: 1024,
  /** Serving and watching in one turn of the event loop, ms; then other events have their turn. */
  turnMs: 1.5,
  /** Looks at the ring between two looks at the clock: the clock costs as much as three looks. */
  spins: 48,
  /** Between two looks at the clock more time than this passes only if the thread did not run, ms. */
  preemptedMs: 0.1,
} as const;

/**
 * The window of one queue: opens when requests come soon after one another, grows while they come
 * within it, shrinks to nothing when they do not.
 *
 * A driver that kicks soon after windows that passed in vain may be one that our watching keeps
 * from running: it has no core of its own. Then each request costs a whole window. So a balance is
 * kept of what watching saves and loses; when it loses, it is given up, and tried again after more
 * and more kicks.
 */
export class PollWindow {
  #ms = 0;
  /** Lost to windows in vain, less what the others saved; not below 0. */
  #lostMs = 0;
  #retryAfter: number = POLLING.retryKicks;
  #kicksToRetry = 0;

  /** 0 to POLLING.capMs. */
  get ms(): number {
    return this.#ms;
  }

  /** A request came while the ring was being watched, `waitedMs` after the one before. */
  hit(waitedMs: number): void {
    if (this.#lostMs > 0) this.#lostMs = Math.max(0, this.#lostMs - POLLING.kickMs);
    else this.#retryAfter = POLLING.retryKicks;
    if (waitedMs > this.#ms / 2) this.#ms = clamp(2 * this.#ms);
  }

  /**
   * A kick woke the queue, `quietMs` after the last request had been served.
   *
   * @returns whether watching has been given up
   */
  woken(quietMs: number): boolean {
    if (quietMs > POLLING.capMs + this.#ms) this.#shrink();
    else if (this.#ms > 0) return this.#watchedInVain(quietMs);
    else if (this.#kicksToRetry > 0) this.#kicksToRetry -= 1;
    else this.#ms = clamp(1.5 * quietMs);
    return false;
  }

  /**
   * The thread that watches was kept from running: others need its CPU, perhaps the very one that it
   * waits for.
   *
   * @returns whether watching has been given up
   */
  preempted(): boolean {
    return this.#lose();
  }

  /** What made watching a loss is gone. */
  tryAgain(): void {
    this.#ms = POLLING.firstMs;
    this.#lostMs = 0;
    this.#kicksToRetry = 0;
    this.#retryAfter = POLLING.retryKicks;
  }

  #watchedInVain(quietMs: number): boolean {
    const gaveUp = this.#lose();
    if (!gaveUp) this.#ms = clamp(1.5 * quietMs);
    return gaveUp;
  }

  /** A window has passed for nothing. @returns whether there will be none for a while */
  #lose(): boolean {
    this.#lostMs += this.#ms;
    if (this.#lostMs <= POLLING.lossMs) return false;
    this.#ms = 0;
    this.#lostMs = 0;
    this.#kicksToRetry = this.#retryAfter;
    this.#retryAfter = Math.min(POLLING.retryKicksCap, 2 * this.#retryAfter);
    return true;
  }

  #shrink(): void {
    if (this.#ms < 2 * POLLING.firstMs) this.#ms = 0;
    else this.#ms /= 2;
  }
}

function clamp(ms: number): number {
  return Math.min(POLLING.capMs, Math.max(POLLING.firstMs, ms));
}
