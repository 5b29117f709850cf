/** The last `capacity` bytes of a stream that never ends, by their positions in it. */
export class OutputHistory {
  readonly #ring: Uint8Array;
  #end = 0;

  constructor(capacity: number) {
    this.#ring = new Uint8Array(capacity);
  }

  /** Position after the last byte: how many there have been. */
  get end(): number {
    return this.#end;
  }

  /** Position of the first byte that is kept. */
  get start(): number {
    return Math.max(0, this.#end - this.#ring.length);
  }

  push(bytes: Uint8Array): void {
    const capacity = this.#ring.length;
    const kept = bytes.subarray(Math.max(0, bytes.length - capacity));
    this.#end += bytes.length - kept.length;
    const at = this.#end % capacity;
    const untilEnd = kept.subarray(0, capacity - at);
    this.#ring.set(untilEnd, at);
    this.#ring.set(kept.subarray(untilEnd.length), 0);
    this.#end += kept.length;
  }

  /** @returns a copy of what is kept from `position` on, oldest first */
  from(position: number): Uint8Array {
    const capacity = this.#ring.length;
    const length = this.#end - Math.min(Math.max(position, this.start), this.#end);
    const taken = new Uint8Array(length);
    const at = (this.#end - length) % capacity;
    const untilEnd = this.#ring.subarray(at, Math.min(capacity, at + length));
    taken.set(untilEnd);
    taken.set(this.#ring.subarray(0, length - untilEnd.length), untilEnd.length);
    return taken;
  }
}
