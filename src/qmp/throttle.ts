interface Slot<T> {
  timer: NodeJS.Timeout;
  latest: { readonly value: T } | undefined;
}

/**
 * Lets one value per key and interval through: the first at once, and of those that come within the
 * interval the latest when it ends. The last value of a key is never lost.
 */
export class Throttle<T> {
  readonly #intervalMs: number;
  readonly #emit: (value: T) => void;
  readonly #slots = new Map<string, Slot<T>>();

  /** @param intervalMs milliseconds; 0 lets everything through */
  constructor(intervalMs: number, emit: (value: T) => void) {
    this.#intervalMs = intervalMs;
    this.#emit = emit;
  }

  push(key: string, value: T): void {
    const slot = this.#slots.get(key);
    if (slot !== undefined) {
      slot.latest = { value };
      return;
    }
    if (this.#intervalMs > 0) this.#slots.set(key, { timer: this.#arm(key), latest: undefined });
    this.#emit(value);
  }

  /** Lets through what waits of one key, at once; the interval goes on. */
  hurry(key: string): void {
    const slot = this.#slots.get(key);
    const latest = slot?.latest;
    if (slot === undefined || latest === undefined) return;
    slot.latest = undefined;
    this.#emit(latest.value);
  }

  /** Lets through what waits, at once. */
  flush(): void {
    for (const { timer, latest } of this.#take()) {
      clearTimeout(timer);
      if (latest !== undefined) this.#emit(latest.value);
    }
  }

  /** Forgets what waits. */
  close(): void {
    for (const { timer } of this.#take()) clearTimeout(timer);
  }

  #take(): readonly Slot<T>[] {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    return slots;
  }

  #arm(key: string): NodeJS.Timeout {
    return setTimeout(() => this.#tick(key), this.#intervalMs).unref();
  }

  #tick(key: string): void {
    const slot = this.#slots.get(key);
    if (slot?.latest === undefined) {
      this.#slots.delete(key);
      return;
    }
    const { value } = slot.latest;
    slot.latest = undefined;
    slot.timer = this.#arm(key);
    this.#emit(value);
  }
}
