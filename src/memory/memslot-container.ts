import { alignUp, GIB } from '../units.ts';
import type { Backing } from './backing.ts';
import type { Memslot, MemslotTable } from './memslot-table.ts';

/** Work at a time, ms. */
const TURN_MS = 1;
const NONE: readonly number[] = [];

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

export interface ContainerOptions {
  readonly table: MemslotTable;
  readonly backing: Backing;
  readonly gpa: number;
  /** Bytes; the last window may be shorter. */
  readonly windowSize: number;
  readonly owner: string;
}

/** A sparse region, cut into windows. A window is a memslot while it is active, and nothing else. */
export class MemslotContainer {
  readonly windowSize: number;
  readonly windowCount: number;
  readonly #options: ContainerOptions;
  /** By window index; only active windows are here, so nothing grows with the region. */
  readonly #active = new Map<number, Memslot>();

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.windowSize = options.windowSize;
    this.windowCount = Math.ceil(options.backing.size / options.windowSize);
  }

  get activeCount(): number {
    return this.#active.size;
  }

  isActive(window: number): boolean {
    return this.#active.has(window);
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

  /** Makes one window a memslot. Idempotent. @throws HostError, KvmError: nothing has changed */
  activate(window: number): void {
    if (this.#active.has(window)) return;
    const { table, backing, gpa, owner } = this.#options;
    const offset = this.windowOffset(window);
    const size = this.windowLength(window);
    const slot = table.add({ gpa: gpa + offset, size, mapping: backing.mapping, offset, owner });
    this.#active.set(window, slot);
  }

  /**
   * Makes windows memslots, and lets others have their turn between two of them: each takes a
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

  /** Takes the memslot of one window away. Idempotent. */
  deactivate(window: number): void {
    const slot = this.#active.get(window);
    if (slot === undefined) return;
    this.#options.table.remove(slot);
    this.#active.delete(window);
  }

  /**
   * Takes the memslots of active windows away without keeping the event loop.
   * @throws (rejects with) KvmError: they are as they were, as far as KVM allows
   */
  async deactivateAll(windows: readonly number[]): Promise<void> {
    const { table } = this.#options;
    const slots = windows.flatMap((window) => this.#active.get(window) ?? []);
    try {
      await table.removeAll(slots);
    } finally {
      for (const window of windows) {
        const slot = this.#active.get(window);
        if (slot !== undefined && !table.has(slot)) this.#active.delete(window);
      }
    }
  }

  /** Active window indices, ascending. */
  activeWindows(): readonly number[] {
    return [...this.#active.keys()].sort((a, b) => a - b);
  }
}
