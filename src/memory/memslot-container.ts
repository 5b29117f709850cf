import { alignUp, GIB } from '../units.ts';
import type { Backing } from './backing.ts';
import type { Memslot, MemslotTable } from './memslot-table.ts';

/** Work at a time, ms. */
const TURN_MS = 1;
const NONE: readonly number[] = [];
/** Windows in a memslot. */
const MOST_WINDOWS = 8;

/**
 * How large the windows of a region are.
 *
 * @param regionSize  bytes
 * @param blockSize   bytes; windows are multiples of it
 * @param limit       memslots the region may use
 * @returns bytes: the region's own size where one slot is all it gets
 */
export function chooseWindowSize(regionSize: number, blockSize: number, limit: number): number {
  if (limit <= 1) return regionSize;
  const fewest = alignUp(Math.ceil(regionSize / limit), blockSize);
  return Math.min(regionSize, Math.max(fewest, blockSize, GIB));
}

/**
 * How many windows a new memslot spans: one, until that many are active that it would add a quarter
 * at most to the metadata. Every slot that comes or goes waits for others in the kernel, which is short
 * on an idle host and milliseconds on a busy one; a guest that has much plugged needs few of them.
 */
function windowsPerSlot(active: number): number {
  let count = 1;
  while (count < MOST_WINDOWS && active >= 8 * count) count *= 2;
  return count;
}

/** A memslot, and the windows that it spans. */
export interface Span {
  readonly slot: Memslot;
  readonly first: number;
  readonly count: number;
  /** Bytes within the region. */
  readonly offset: number;
  readonly length: number;
}

export interface ContainerOptions {
  readonly table: MemslotTable;
  readonly backing: Backing;
  readonly gpa: number;
  /** Bytes; the last window may be shorter. */
  readonly windowSize: number;
  readonly owner: string;
  /** Whether neighbouring windows may share a memslot when many are active. */
  readonly mayShare?: boolean;
}

/** A sparse region, cut into windows. While a window is active, a memslot covers it. */
export class MemslotContainer {
  readonly windowSize: number;
  readonly windowCount: number;
  readonly #options: ContainerOptions;
  /** By window index; only active windows are here, so nothing grows with the region. */
  readonly #active = new Map<number, Span>();

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.windowSize = options.windowSize;
    this.windowCount = Math.ceil(options.backing.size / options.windowSize);
  }

  /** Windows that memslots cover. */
  get activeCount(): number {
    return this.#active.size;
  }

  /** Memslots that cover them. */
  get slotCount(): number {
    return new Set(this.#active.values()).size;
  }

  isActive(window: number): boolean {
    return this.#active.has(window);
  }

  /** What covers a window; undefined when it is not active. */
  spanOf(window: number): Span | undefined {
    return this.#active.get(window);
  }

  firstWindow(offset: number): number {
    return Math.floor(offset / this.windowSize);
  }

  lastWindow(offset: number, length: number): number {
    return Math.floor((offset + length - 1) / this.windowSize);
  }

  /** The windows of a range that are not memslots, ascending. */
  inactiveIn(offset: number, length: number): readonly number[] {
    const last = this.lastWindow(offset, length);
    let found: number[] | undefined;
    for (let window = this.firstWindow(offset); window <= last; window++) {
      if (this.#active.has(window)) continue;
      if (found === undefined) found = [window];
      else found.push(window);
    }
    return found ?? NONE;
  }

  windowOffset(window: number): number {
    return window * this.windowSize;
  }

  /** Bytes: the last window ends with the region. */
  windowLength(window: number): number {
    return Math.min(this.windowSize, this.#options.backing.size - this.windowOffset(window));
  }

  /**
   * Has a memslot cover a window, and neighbours with it where that is allowed. Idempotent.
   * @throws HostError, KvmError: nothing has changed
   */
  activate(window: number): void {
    if (this.#active.has(window)) return;
    const count = this.#options.mayShare === true ? this.#freeAround(window) : 1;
    try {
      this.#add(window, count);
    } catch (error) {
      if (count === 1) throw error;
      this.#add(window, 1);
    }
  }

  #add(window: number, count: number): void {
    const { table, backing, gpa, owner } = this.#options;
    const first = window - (window % count);
    const offset = this.windowOffset(first);
    const length = count === 1 ? this.windowLength(first) : count * this.windowSize;
    const request = { gpa: gpa + offset, size: length, mapping: backing.mapping, offset, owner };
    const span: Span = { slot: table.add(request), first, count, offset, length };
    for (let each = first; each < first + count; each++) this.#active.set(each, span);
  }

  /** @returns how many windows about this one are one slot's to be: aligned, whole, none of them active */
  #freeAround(window: number): number {
    const whole = Math.floor(this.#options.backing.size / this.windowSize);
    for (let count = windowsPerSlot(this.#active.size); count > 1; count /= 2) {
      const first = window - (window % count);
      let end = first;
      while (end < first + count && end < whole && !this.#active.has(end)) end++;
      if (end === first + count) return count;
    }
    return 1;
  }

  /**
   * Activates windows, and lets others have their turn between two of them: each takes a
   * fraction of a millisecond, or some when the host is busy.
   * @throws (rejects) as activate(): windows before the one that failed are active
   */
  async activateAll(windows: readonly number[]): Promise<void> {
    let turn = performance.now();
    for (const window of windows) {
      this.activate(window);
      if (performance.now() - turn < TURN_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
  }

  /**
   * Takes the memslots that cover windows away without keeping the event loop.
   * @throws (rejects with) KvmError: they are as they were, as far as KVM allows
   */
  async deactivateAll(windows: readonly number[]): Promise<void> {
    const { table } = this.#options;
    const spans = new Set(windows.flatMap((window) => this.#active.get(window) ?? []));
    try {
      await table.removeAll(Array.from(spans, ({ slot }) => slot));
    } finally {
      for (const span of spans) if (!table.has(span.slot)) this.#forget(span);
    }
  }

  #forget({ first, count }: Span): void {
    for (let window = first; window < first + count; window++) this.#active.delete(window);
  }

  /** Active window indices, ascending. */
  activeWindows(): readonly number[] {
    return [...this.#active.keys()].sort((a, b) => a - b);
  }
}
