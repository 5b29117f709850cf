/*
 * The ring of posted writes, filled by vCPU threads under a lock, drained by JavaScript.
 * u32 head at 0 (next entry to fill) and u32 tail at 64 (next to drain), both counting without
 * wrapping at the ring size; entries from 128 on. Little-endian; head and tail via Atomics.
 */
export const POSTED_RING = {
  head: 0,
  tail: 64,
  entries: 128,
  /** Entries, a power of two. */
  capacity: 1024,
  /** Bytes of an entry: u32 tag, u32 vcpu id, u32 offset in the range, u32 size, u64 data. */
  stride: 24,
} as const;

const HEAD_WORD = POSTED_RING.head / 4;
const TAIL_WORD = POSTED_RING.tail / 4;
const ENTRIES_WORD = POSTED_RING.entries / 4;
const STRIDE_WORDS = POSTED_RING.stride / 4;

/** What a posted write says. `high` holds the upper half of an 8-byte write. */
export type PostedWriteHandler = (
  tag: number,
  vcpu: number,
  offset: number,
  size: number,
  low: number,
  high: number,
) => void;

/** The part of a VM that a ring needs. */
interface RingSource {
  readonly ioRing: ArrayBuffer;
  ringDrained(): void;
}

/** The consumer's end of the ring. */
export class PostedRing {
  readonly #source: RingSource;
  /** Head, tail and entries, as words. */
  readonly #words: Uint32Array;
  #draining = false;

  /** Header and entries, as POSTED_RING says. */
  get buffer(): ArrayBuffer {
    return this.#source.ioRing;
  }

  constructor(source: RingSource) {
    this.#source = source;
    this.#words = new Uint32Array(source.ioRing);
  }

  /**
   * Hands over what was posted up to now, in order. What comes meanwhile gets an `onPosted` of its
   * own, so that a guest that never stops writing does not stop the event loop. Called from
   * inside the handler it does nothing: the outer call goes on.
   *
   * @throws what the handler throws; that write counts as handed over
   */
  drain(handler: PostedWriteHandler): void {
    const words = this.#words;
    const head = Atomics.load(words, HEAD_WORD);
    let tail = Atomics.load(words, TAIL_WORD);
    if (tail === head || this.#draining) return;
    this.#draining = true;
    try {
      while (tail !== head) {
        const at = ENTRIES_WORD + (tail & (POSTED_RING.capacity - 1)) * STRIDE_WORDS;
        tail = (tail + 1) >>> 0;
        handler(
          words[at] ?? 0,
          words[at + 1] ?? 0,
          words[at + 2] ?? 0,
          words[at + 3] ?? 0,
          words[at + 4] ?? 0,
          words[at + 5] ?? 0,
        );
      }
    } finally {
      this.#draining = false;
      Atomics.store(words, TAIL_WORD, tail);
      this.#source.ringDrained();
    }
  }
}
