/** Which blocks are plugged: one bit each. Pure: it changes only when it is told to. */
export class BlockMap {
  readonly blockCount: number;
  readonly #words: Uint32Array;
  #plugged = 0;

  constructor(blockCount: number) {
    this.blockCount = blockCount;
    this.#words = new Uint32Array(Math.ceil(blockCount / 32));
  }

  /** Blocks plugged in all. */
  get plugged(): number {
    return this.#plugged;
  }

  isAllPlugged(first: number, count: number): boolean {
    return this.nextUnplugged(first, first + count) === first + count;
  }

  isAllUnplugged(first: number, count: number): boolean {
    return this.nextPlugged(first, first + count) === first + count;
  }

  /** Marks blocks that are all unplugged now. */
  plug(first: number, count: number): void {
    this.#apply(first, count, true);
    this.#plugged += count;
  }

  /** Marks blocks that are all plugged now. */
  unplug(first: number, count: number): void {
    this.#apply(first, count, false);
    this.#plugged -= count;
  }

  /** @returns the first plugged block in [from, end), or `end` */
  nextPlugged(from: number, end: number): number {
    return this.#next(from, end, 0);
  }

  /** @returns the first unplugged block in [from, end), or `end` */
  nextUnplugged(from: number, end: number): number {
    return this.#next(from, end, 0xffff_ffff);
  }

  /** @returns the last plugged block in [from, end), or `from - 1` */
  lastPlugged(from: number, end: number): number {
    let block = end - 1;
    while (block >= from) {
      const word = (this.#words[block >>> 5] ?? 0) << (31 - (block & 31));
      if (word !== 0) return Math.max(from - 1, block - Math.clz32(word));
      block = (block & ~31) - 1;
    }
    return from - 1;
  }

  /** Visits each maximal run of plugged blocks in [from, end), in order. */
  forEachPlugged(from: number, end: number, visit: (first: number, count: number) => void): void {
    let first = this.nextPlugged(from, end);
    while (first < end) {
      const after = this.nextUnplugged(first, end);
      visit(first, after - first);
      first = this.nextPlugged(after, end);
    }
  }

  /** Visits each maximal run of unplugged blocks in [from, end), in order. */
  forEachUnplugged(from: number, end: number, visit: (first: number, count: number) => void): void {
    let first = this.nextUnplugged(from, end);
    while (first < end) {
      const after = this.nextPlugged(first, end);
      visit(first, after - first);
      first = this.nextUnplugged(after, end);
    }
  }

  /** First block in [from, end) whose bit differs from the all-alike word `skip`. */
  #next(from: number, end: number, skip: number): number {
    let block = from;
    while (block < end) {
      const word = ((this.#words[block >>> 5] ?? 0) ^ skip) >>> (block & 31);
      if (word !== 0) return Math.min(end, block + 31 - Math.clz32(word & -word));
      block = (block | 31) + 1;
    }
    return end;
  }

  #apply(first: number, count: number, plugged: boolean): void {
    let block = first;
    const end = first + count;
    while (block < end) {
      const bit = block & 31;
      const span = Math.min(32 - bit, end - block);
      const mask = span === 32 ? 0xffff_ffff : ((1 << span) - 1) << bit;
      const word = this.#words[block >>> 5] ?? 0;
      this.#words[block >>> 5] = plugged ? word | mask : word & ~mask;
      block += span;
    }
  }
}
