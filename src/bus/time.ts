/** Where a device takes its time from. */
export interface TimeSource {
  /** Milliseconds since some moment; never steps. */
  monotonicMs(): number;
  /** Milliseconds since 1970, UTC; steps where the host's clock is set. */
  epochMs(): number;
  /** It stands still: nothing becomes due until it goes on. */
  readonly isHeld: boolean;
}

/** The host's time. */
export const hostTime: TimeSource = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
  isHeld: false,
};

/** The host's time without the spans that it was held. */
export class PausableTime implements TimeSource {
  /** What has been left out so far, ms. */
  #skippedMs = 0;
  #held: { readonly monotonicMs: number; readonly epochMs: number } | undefined;

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  monotonicMs(): number {
    return this.#held?.monotonicMs ?? performance.now() - this.#skippedMs;
  }

  epochMs(): number {
    return this.#held?.epochMs ?? Date.now() - this.#skippedMs;
  }

  /** Stands still from now on; idempotent. */
  hold(): void {
    this.#held ??= { monotonicMs: this.monotonicMs(), epochMs: this.epochMs() };
  }

  /** Goes on from where it stands; idempotent. */
  release(): void {
    if (this.#held === undefined) return;
    this.#skippedMs = performance.now() - this.#held.monotonicMs;
    this.#held = undefined;
  }
}
