/** Who is at work on memory, and must be done before it stays as it is. */
export interface HeldMemory {
  /** Resolves once no work is under way that began before. */
  idle(): Promise<void>;
  /** Nobody holds memory any more. */
  onRelease(): void;
}

/**
 * Holds on guest memory: while there is one, no device hands memory out or takes it back because its
 * guest asks for it. Independent of who listens to a discard manager: whoever reads memory over several
 * turns of the event loop takes a hold, and sees the same parts of it to the end. A system reset does
 * not wait for holds.
 */
export class MemoryHolds {
  /** By hold: what for. */
  readonly #reasons = new Map<symbol, string>();
  readonly #held: HeldMemory[] = [];

  /** What memory is held for, by whoever has held it longest; undefined while nobody does. */
  get reason(): string | undefined {
    for (const reason of this.#reasons.values()) return reason;
    return undefined;
  }

  /** Adds memory that holds concern. */
  add(memory: HeldMemory): void {
    this.#held.push(memory);
  }

  /**
   * Nothing new begins from now on; what is under way goes on, see `during`.
   *
   * @param reason  for people, as `pmemsave`
   * @returns gives it back; idempotent
   */
  take(reason: string): () => void {
    const hold = Symbol(reason);
    this.#reasons.set(hold, reason);
    return () => {
      if (!this.#reasons.delete(hold) || this.#reasons.size > 0) return;
      for (const memory of this.#held) memory.onRelease();
    };
  }

  /** Runs `work` with memory held, once what was under way is done. */
  async during<T>(reason: string, work: () => Promise<T>): Promise<T> {
    const release = this.take(reason);
    try {
      await Promise.all(this.#held.map((memory) => memory.idle()));
      return await work();
    } finally {
      release();
    }
  }
}
