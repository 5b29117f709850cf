/** Buckets of a power of two: 4 keep what is read from them within 12 % of what was. */
const PARTS = 4;
const PART_BITS = 2;
/** Up to 2^32 ns, 4.3 s; what takes longer counts as that, but for the maximum. */
const OCTAVES = 32;
const LONGEST_NS = 2 ** OCTAVES - 1;
const NS_PER_MS = 1e6;

/** What was recorded so far, in nanoseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly medianNs: number;
  readonly p99Ns: number;
  readonly maxNs: number;
}

/**
 * Counts how long something took. Recording allocates nothing and takes a few nanoseconds; what is
 * read is as exact as its buckets, a quarter of a power of two.
 */
export class LatencyHistogram {
  readonly #buckets = new Float64Array(OCTAVES * PARTS);
  /** In an array, since a property that changes would be a new number on the heap each time. */
  readonly #maxMs = new Float64Array(1);

  /** @param ms milliseconds, as the difference of two performance.now() */
  record(ms: number): void {
    if (ms > (this.#maxMs[0] ?? 0)) this.#maxMs[0] = ms;
    const ns = Math.min(ms * NS_PER_MS, LONGEST_NS) >>> 0;
    // The highest bit that is set, and the two behind it.
    const octave = 31 - Math.clz32(ns | PARTS);
    const bucket = octave * PARTS + ((ns >>> (octave - PART_BITS)) & (PARTS - 1));
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  get summary(): LatencySummary {
    const count = this.#buckets.reduce((all, each) => all + each, 0);
    const maxNs = Math.round((this.#maxMs[0] ?? 0) * NS_PER_MS);
    const at = (share: number): number => Math.min(this.#quantile(count * share), maxNs);
    return { count, medianNs: at(0.5), p99Ns: at(0.99), maxNs };
  }

  /**
   * How many there were by powers of two: element n counts from 2^(n-1) up to 2^n ns. Without the
   * zeros at the end.
   */
  get powersOfTwo(): readonly number[] {
    const counts = Array.from({ length: OCTAVES + 1 }, (_, power) => {
      const from = (power - 1) * PARTS;
      return power === 0 ? 0 : this.#buckets.slice(from, from + PARTS).reduce((a, b) => a + b, 0);
    });
    return counts.slice(0, counts.findLastIndex((count) => count > 0) + 1);
  }

  /** The middle of the bucket in which the `rank`th is. */
  #quantile(rank: number): number {
    let passed = 0;
    for (const [bucket, count] of this.#buckets.entries()) {
      passed += count;
      if (count > 0 && passed >= rank) {
        const octave = Math.floor(bucket / PARTS);
        return 2 ** octave * (1 + ((bucket % PARTS) + 0.5) / PARTS);
      }
    }
    return 0;
  }
}
