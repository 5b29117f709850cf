/** The last `capacity` bytes of what was pushed. */
export class RecentBytes {
  readonly #ring: Uint8Array;
  /** Bytes ever pushed since the last `take`; the next one goes to `#count % capacity`. */
  #count = 0;

  constructor(capacity: number) {
    this.#ring = new Uint8Array(capacity);
  }

  push(bytes: Uint8Array): void {
    const capacity = this.#ring.length;
    const kept = bytes.subarray(Math.max(0, bytes.length - capacity));
    this.#count += bytes.length - kept.length;
    const start = this.#count % capacity;
    const untilEnd = kept.subarray(0, capacity - start);
    this.#ring.set(untilEnd, start);
    this.#ring.set(kept.subarray(untilEnd.length), 0);
    this.#count += kept.length;
  }

  /** @returns the bytes kept, oldest first; none are kept afterwards */
  take(): Uint8Array {
    const capacity = this.#ring.length;
    const length = Math.min(this.#count, capacity);
    const start = this.#count > capacity ? this.#count % capacity : 0;
    const taken = new Uint8Array(length);
    const untilEnd = this.#ring.subarray(start, Math.min(capacity, start + length));
    taken.set(untilEnd);
    taken.set(this.#ring.subarray(0, length - untilEnd.length), untilEnd.length);
    this.#count = 0;
    return taken;
  }
}
