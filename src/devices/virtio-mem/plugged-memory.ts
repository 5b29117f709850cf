import type { Backing } from '../../memory/backing.ts';
import type { MappingBudget } from '../../memory/mapping-budget.ts';
import type { MemslotContainer } from '../../memory/memslot-container.ts';
import { log } from '../../log.ts';
import { GIB, hex } from '../../units.ts';
import { BlockDiscards } from './block-discards.ts';
import { BlockMap } from './block-map.ts';
import { Leftovers } from './leftovers.ts';
import { UnpluggedProtection } from './unplugged-protection.ts';

const logger = log('virtio-mem');

const NO_WINDOWS: readonly number[] = [];

/** Discarding so much that holds nothing takes as long as to start another discard (20 µs). */
const SHORT_GAP = 4 * GIB;

type Run = readonly [first: number, count: number];

export interface PluggedMemoryOptions {
  readonly id: string;
  readonly gpa: number;
  /** Bytes. */
  readonly blockSize: number;
  readonly backing: Backing;
  readonly container: MemslotContainer;
  /** Whether windows come and go with what is plugged; else the container's one is always there. */
  readonly dynamicMemslots: boolean;
  /** Allocate blocks before the guest sees them. */
  readonly prealloc: boolean;
  /** Keep unplugged memory inaccessible, with mappings from here; absent: leave it as it is. */
  readonly protectWith?: MappingBudget | undefined;
}

/**
 * The memory of one device: which blocks are plugged, and the host work that plugging and unplugging
 * takes. Whatever fails is undone before the error is thrown on, so the block map is always true.
 * The caller sees to it that one operation runs at a time, and that ranges are valid.
 */
export class PluggedMemory extends BlockDiscards {
  readonly #options: PluggedMemoryOptions;
  readonly #protection: UnpluggedProtection | undefined;
  #preallocWarned = false;
  readonly #leftovers: Leftovers;

  constructor(options: PluggedMemoryOptions) {
    super(options.blockSize, new BlockMap(options.backing.size / options.blockSize));
    this.#options = options;
    this.#leftovers = new Leftovers(this.map.blockCount);
    const { protectWith: budget } = options;
    if (budget === undefined) return;
    this.#protection = new UnpluggedProtection({ ...options, plugged: this.map, budget });
  }

  get isProtected(): boolean {
    return this.#protection !== undefined;
  }

  /** Unplugged blocks that the guest can reach for want of mappings, although it should not. */
  get unprotectedBlocks(): number {
    return this.#protection?.unprotected ?? 0;
  }

  /** Bytes. */
  get pluggedSize(): number {
    return this.map.plugged * this.granularity;
  }

  /**
   * Plugs blocks that are all unplugged: protection, populate, memslots, listeners, bits, in this
   * order. (Protection is lifted first because inaccessible memory cannot be populated.)
   * @throws (or rejects) with everything undone
   */
  plug(first: number, count: number): void | Promise<void> {
    const { backing, container, prealloc } = this.#options;
    this.#protection?.lift(first, count);
    try {
      const offset = first * this.granularity;
      const length = count * this.granularity;
      const isClean = !this.#leftovers.touches(first, count);
      const cleared = isClean ? backing.clear(offset, length) : backing.discard(offset, length);
      const secured = prealloc ? undefined : backing.secure(offset, length);
      const later = prealloc || cleared !== undefined || secured !== undefined;
      const windows = container.inactiveIn(offset, length);
      // One takes less time than it would to come back for it.
      if (later || windows.length > 1) {
        return this.#prepare(first, count, { windows, work: [cleared, secured] });
      }
      this.#expose(first, count);
    } catch (error) {
      if (this.#protection === undefined) throw error;
      return this.#takeBack(first, count).then(() => {
        throw error;
      });
    }
  }

  /**
   * Unplugs blocks that are all plugged: bits, listeners, protection, memslots, host memory, in this
   * order. Nobody but the guest touches the memory once the listeners know, and the guest not
   * once it is protected; only then is it freed: a racing guest would fault it straight back in.
   * @throws (or rejects) with everything undone
   */
  unplug(first: number, count: number): void | Promise<void> {
    this.map.unplug(first, count);
    this.listeners.discard(first * this.granularity, count * this.granularity);
    const later = this.#protection?.protect(first, count);
    if (later !== undefined) return later.then(() => this.#release(first, count));
    return this.#release(first, count);
  }

  /** Memslots, host memory. */
  #release(first: number, count: number): void | Promise<void> {
    const emptied = this.#emptiedWindows(first, count);
    if (emptied.length > 0) return this.#releaseWindows(first, count, emptied);
    try {
      return this.#discard(first, count)?.catch((error: unknown) => {
        this.#restore(first, count);
        throw error;
      });
    } catch (error) {
      this.#restore(first, count);
      throw error;
    }
  }

  async #releaseWindows(first: number, count: number, windows: readonly number[]): Promise<void> {
    try {
      await this.#options.container.deactivateAll(windows);
      await this.#discard(first, count);
    } catch (error) {
      this.#restore(first, count);
      throw error;
    }
  }

  #discard(first: number, count: number): void | Promise<void> {
    return this.#options.backing.discard(first * this.granularity, count * this.granularity);
  }

  /** Unplugs everything. @throws (or rejects) with everything undone */
  unplugAll(): void | Promise<void> {
    if (this.map.plugged > 0 || this.#leftovers.any) return this.#unplugAll();
  }

  /** What must be awaited before the guest may see the blocks. */
  async #prepare(
    first: number,
    count: number,
    { windows, work }: { windows: readonly number[]; work: readonly (void | Promise<void>)[] },
  ): Promise<void> {
    try {
      await Promise.all(work.map((it) => Promise.resolve(it)));
      if (this.#options.prealloc) await this.#populate(first, count);
      await this.#options.container.activateAll(windows);
      this.#expose(first, count);
    } catch (error) {
      await this.#releaseEmptied(first, count);
      await this.#takeBack(first, count);
      throw error;
    }
  }

  async #populate(first: number, count: number): Promise<void> {
    const { backing, id } = this.#options;
    try {
      await backing.populate(first * this.granularity, count * this.granularity);
    } catch (error) {
      if (!this.#preallocWarned) {
        this.#preallocWarned = true;
        logger.warn({ id, error: String(error) }, 'cannot preallocate memory for the guest');
      }
      throw error;
    }
  }

  /** The memslots of a plug that failed. */
  async #releaseEmptied(first: number, count: number): Promise<void> {
    const emptied = this.#emptiedWindows(first, count);
    try {
      if (emptied.length > 0) await this.#options.container.deactivateAll(emptied);
    } catch {
      this.#leftovers.add(first, count);
    }
  }

  /** Undoes a plug that did not come to its end: whatever was put there meanwhile goes. */
  async #takeBack(first: number, count: number): Promise<void> {
    await this.#protection?.protect(first, count);
    try {
      await this.#discard(first, count);
    } catch {
      this.#leftovers.add(first, count);
    }
  }

  /** Memslots, listeners, bits. */
  #expose(first: number, count: number): void {
    const { container } = this.#options;
    const offset = first * this.granularity;
    const length = count * this.granularity;
    const last = container.lastWindow(offset, length);
    try {
      for (let window = container.firstWindow(offset); window <= last; window++) {
        container.activate(window);
      }
      this.listeners.populate(offset, length);
    } catch (error) {
      this.#deactivateEmptied(first, count);
      throw error;
    }
    this.map.plug(first, count);
  }

  #deactivateEmptied(first: number, count: number): void {
    for (const window of this.#emptiedWindows(first, count)) {
      try {
        this.#options.container.deactivate(window);
      } catch {
        this.#leftovers.add(first, count);
      }
    }
  }

  /** A window of each memslot that these blocks were the last of. */
  #emptiedWindows(first: number, count: number): readonly number[] {
    const { container, dynamicMemslots } = this.#options;
    if (!dynamicMemslots) return NO_WINDOWS;
    const offset = first * this.granularity;
    const last = container.lastWindow(offset, count * this.granularity);
    let emptied: number[] | undefined;
    for (let window = container.firstWindow(offset); window <= last; window++) {
      const span = container.spanOf(window);
      if (span === undefined) continue;
      window = span.first + span.count - 1;
      if (!this.#isUnplugged(span.offset, span.length)) continue;
      if (emptied === undefined) emptied = [window];
      else emptied.push(window);
    }
    return emptied ?? NO_WINDOWS;
  }

  async #unplugAll(): Promise<void> {
    const { container, dynamicMemslots } = this.#options;
    const runs: Run[] = [];
    this.map.forEachPlugged(0, this.map.blockCount, (first, count) => runs.push([first, count]));
    // Run by run, so that who leaves meanwhile can be told of those that are still there.
    for (const [run, length] of runs) {
      this.map.unplug(run, length);
      this.listeners.discard(run * this.granularity, length * this.granularity);
    }
    const spans = this.#spans(runs);
    try {
      for (const [first, count] of spans) await this.#protection?.protect(first, count);
      if (dynamicMemslots) await container.deactivateAll(container.activeWindows());
      for (const [first, count] of spans) await this.#discard(first, count);
      this.#leftovers.clear();
    } catch (error) {
      for (const [run, length] of runs) this.#restore(run, length);
      throw error;
    }
  }

  /** What is to be cleaned: runs, with the gaps between them that are not worth a step over. */
  #spans(runs: readonly Run[]): readonly Run[] {
    const gap = Math.floor(SHORT_GAP / this.granularity);
    const spans: Run[] = [];
    for (const [first, count] of this.#leftovers.join(runs)) {
      const last = spans.at(-1);
      const isNear = last !== undefined && first - (last[0] + last[1]) <= gap;
      if (isNear) spans[spans.length - 1] = [last[0], first + count - last[0]];
      else spans.push([first, count]);
    }
    return spans;
  }

  /** Puts back what a failed unplug had taken away. */
  #restore(first: number, count: number): void {
    try {
      this.#protection?.lift(first, count);
      this.#expose(first, count);
    } catch (error) {
      this.#leftovers.add(first, count);
      // The guest keeps blocks that it cannot reach; there is nobody left to tell but the user.
      const { id, gpa } = this.#options;
      const range = hex(gpa + first * this.granularity);
      logger.error({ id, range, count, error: String(error) }, 'cannot undo a failed unplug');
    }
  }

  #isUnplugged(offset: number, length: number): boolean {
    return this.map.isAllUnplugged(offset / this.granularity, length / this.granularity);
  }
}
