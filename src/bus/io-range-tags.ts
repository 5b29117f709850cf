import { HostError } from '../errors.ts';
import type { ServedRange } from './served-range.ts';

/** Tags are u32 below 0xffffffff, which means "no range". */
const TAG_LIMIT = 0xffff_ffff;

/**
 * Which range a tag names. A released tag comes back only after all others, so that a posted
 * write still on its way to a range that went away reaches nobody.
 */
export class IoRangeTags {
  readonly #ranges = new Map<number, ServedRange>();
  #next: number;

  /** @param first  the first tag to give out */
  constructor(first = 0) {
    this.#next = first;
  }

  get(tag: number): ServedRange | undefined {
    return this.#ranges.get(tag);
  }

  take(range: ServedRange): number {
    if (this.#ranges.size >= TAG_LIMIT) throw new HostError('IO_TAGS_EXHAUSTED', 'no tag is free');
    while (this.#ranges.has(this.#next)) this.#next = (this.#next + 1) % TAG_LIMIT;
    const tag = this.#next;
    this.#next = (tag + 1) % TAG_LIMIT;
    this.#ranges.set(tag, range);
    return tag;
  }

  release(tag: number): void {
    this.#ranges.delete(tag);
  }
}
