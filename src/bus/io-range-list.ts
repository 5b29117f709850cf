import { ConfigError } from '../errors.ts';
import { hex } from '../units.ts';
import type { IoRangeTags } from './io-range-tags.ts';
import type { IoHandler, IoRange, IoRangeOptions, IoSpace } from './io-space.ts';
import type { ServedRange } from './served-range.ts';

/** What makes accesses reach a range: KVM and the addon, or a test. */
export interface IoBackend {
  /** @returns the bytes that answer reads when `range.read` is `shadow`; @throws HostError */
  add(range: ServedRange): Uint8Array | undefined;
  /** The range is as it was when it was added. */
  remove(range: ServedRange): void;
}

export interface IoRangeListOptions {
  /** For messages: `port`, `MMIO`. */
  readonly name: string;
  /** Addresses 0 to `size` - 1 exist. */
  readonly size: number;
  readonly backend: IoBackend;
  /** Shared by the spaces whose exits are told apart by tag alone. */
  readonly tags: IoRangeTags;
}

class ListedRange implements IoRange, ServedRange {
  readonly name: string;
  readonly size: number;
  readonly handler: IoHandler;
  readonly read: 'sync' | 'shadow';
  readonly write: 'sync' | 'post';
  readonly tag: number;
  readonly #list: IoRangeList;
  base: number;
  shadow: Uint8Array | undefined;

  constructor(list: IoRangeList, tags: IoRangeTags, options: IoRangeOptions) {
    this.#list = list;
    this.name = options.name;
    this.base = options.base;
    this.size = options.size;
    this.handler = options.handler;
    this.read = options.read ?? 'sync';
    this.write = options.write ?? 'sync';
    this.tag = tags.take(this);
  }

  move(base: number): void {
    this.#list.move(this, base);
  }

  remove(): void {
    this.#list.remove(this);
  }
}

/**
 * The bookkeeping of an address space: sorted ranges that never overlap. How accesses reach them
 * is the backend's; a fake backend thus shares every check with the one on KVM.
 */
export class IoRangeList implements IoSpace {
  readonly #name: string;
  readonly #size: number;
  readonly #backend: IoBackend;
  readonly #tags: IoRangeTags;
  /** Sorted by base. */
  readonly #ranges: ListedRange[] = [];

  constructor(options: IoRangeListOptions) {
    this.#name = options.name;
    this.#size = options.size;
    this.#backend = options.backend;
    this.#tags = options.tags;
  }

  add(options: IoRangeOptions): IoRange {
    this.#checkFree(options.name, options.base, options.size);
    const range = new ListedRange(this, this.#tags, options);
    try {
      this.#insert(range);
    } catch (error) {
      this.#tags.release(range.tag);
      throw error;
    }
    return range;
  }

  isFree(base: number, size: number): boolean {
    return this.#inside(base, size) && this.#overlapping(base, size) === undefined;
  }

  ranges(): readonly IoRange[] {
    return [...this.#ranges];
  }

  /** The range that an access falls into, wholly. */
  find(address: number, size: number): ServedRange | undefined {
    const range = this.#ranges[this.#indexAfter(address) - 1];
    if (range === undefined || address + size > range.base + range.size) return undefined;
    return range;
  }

  /** For the ranges themselves: see IoRange. A host fault leaves the range where it was. */
  move(range: ListedRange, base: number): void {
    const old = range.base;
    if (!this.#ranges.includes(range) || base === old) return;
    this.#extract(range);
    try {
      this.#checkFree(range.name, base, range.size);
      range.base = base;
      this.#insert(range);
    } catch (error) {
      range.base = old;
      this.#insert(range);
      throw error;
    }
  }

  /** For the ranges themselves: see IoRange. */
  remove(range: ListedRange): void {
    if (!this.#ranges.includes(range)) return;
    this.#extract(range);
    range.shadow = undefined;
    this.#tags.release(range.tag);
  }

  #insert(range: ListedRange): void {
    const shadow = this.#backend.add(range);
    // A range that moved takes what its reads answer along.
    if (shadow !== undefined && range.shadow !== undefined) shadow.set(range.shadow);
    range.shadow = shadow;
    this.#ranges.splice(this.#indexAfter(range.base), 0, range);
  }

  #extract(range: ListedRange): void {
    // The backend may reuse the shadow's bytes as soon as the range is gone.
    if (range.shadow !== undefined) range.shadow = range.shadow.slice();
    this.#backend.remove(range);
    this.#ranges.splice(this.#ranges.indexOf(range), 1);
  }

  #checkFree(name: string, base: number, size: number): void {
    const where = `${this.#name} range ${name} at ${hex(base)}, ${hex(size)} long`;
    if (!this.#inside(base, size)) {
      throw new ConfigError('IO_RANGE_OUTSIDE', `${where}: the space ends at ${hex(this.#size)}`);
    }
    const other = this.#overlapping(base, size);
    if (other === undefined) return;
    const end = hex(other.base + other.size - 1);
    throw new ConfigError(
      'IO_RANGE_OVERLAP',
      `${where}: overlaps ${other.name} at ${hex(other.base)} to ${end}`,
    );
  }

  #inside(base: number, size: number): boolean {
    const whole = Number.isSafeInteger(base) && Number.isSafeInteger(size);
    return whole && base >= 0 && size > 0 && base + size <= this.#size;
  }

  #overlapping(base: number, size: number): ListedRange | undefined {
    const last = this.#ranges[this.#indexAfter(base + size - 1) - 1];
    return last !== undefined && last.base + last.size > base ? last : undefined;
  }

  /** Index of the first range whose base is above `address`. */
  #indexAfter(address: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && range.base <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
