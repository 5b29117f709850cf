import type { Backing } from '../../memory/backing.ts';
import {
  DiscardListeners,
  type DiscardListener,
  type DiscardManager,
} from '../../memory/discard-manager.ts';
import type { MappingBudget } from '../../memory/mapping-budget.ts';
import type { MemslotContainer } from '../../memory/memslot-container.ts';
import { log } from '../../log.ts';
import { hex } from '../../units.ts';
import { BlockMap } from './block-map.ts';
import { UnpluggedProtection } from './unplugged-protection.ts';

const logger = log('virtio-mem');

const NO_WINDOWS: readonly number[] = [];

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
export class PluggedMemory implements DiscardManager {
  readonly granularity: number;
  readonly map: BlockMap;
  readonly #options: PluggedMemoryOptions;
  readonly #listeners = new DiscardListeners();
  readonly #protection: UnpluggedProtection | undefined;
  #preallocWarned = false;

  constructor(options: PluggedMemoryOptions) {
    this.#options = options;
    this.granularity = options.blockSize;
    this.map = new BlockMap(options.backing.size / options.blockSize);
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
    const { backing, prealloc } = this.#options;
    this.#protection?.lift(first, count);
    try {
      const offset = first * this.granularity;
      const length = count * this.granularity;
      const cleared = backing.clear(offset, length);
      const secured = prealloc ? undefined : backing.secure(offset, length);
      const ready = prealloc || cleared !== undefined || secured !== undefined;
      if (ready) return this.#prepare(first, count, [cleared, secured]);
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
    this.#listeners.discard(first * this.granularity, count * this.granularity);
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
    if (this.map.plugged > 0) return this.#unplugAll();
  }

  isPopulated(offset: number, length: number): boolean {
    if (length === 0) return true;
    const first = Math.floor(offset / this.granularity);
    const end = Math.ceil((offset + length) / this.granularity);
    return this.map.isAllPlugged(first, end - first);
  }

  replayPopulated(
    offset: number,
    length: number,
    visit: (offset: number, length: number) => void,
  ): void {
    const { first, end } = this.#blocks(offset, length);
    this.map.forEachPlugged(first, end, (block, count) => {
      visit(block * this.granularity, count * this.granularity);
    });
  }

  replayDiscarded(
    offset: number,
    length: number,
    visit: (offset: number, length: number) => void,
  ): void {
    const { first, end } = this.#blocks(offset, length);
    this.map.forEachUnplugged(first, end, (block, count) => {
      visit(block * this.granularity, count * this.granularity);
    });
  }

  register(listener: DiscardListener): void {
    this.#listeners.add(listener);
    this.replayPopulated(0, this.#options.backing.size, (offset, length) => {
      listener.onPopulate(offset, length);
    });
  }

  unregister(listener: DiscardListener): void {
    if (!this.#listeners.remove(listener)) return;
    this.replayPopulated(0, this.#options.backing.size, (offset, length) => {
      listener.onDiscard(offset, length);
    });
  }

  /** What must be awaited before the guest may see the blocks. */
  async #prepare(
    first: number,
    count: number,
    work: readonly (void | Promise<void>)[],
  ): Promise<void> {
    const { backing, id, prealloc } = this.#options;
    const offset = first * this.granularity;
    const length = count * this.granularity;
    try {
      await Promise.all(work.map((it) => Promise.resolve(it)));
      if (prealloc) await backing.populate(offset, length);
      this.#expose(first, count);
    } catch (error) {
      if (!this.#preallocWarned) {
        this.#preallocWarned = true;
        logger.warn({ id, error: String(error) }, 'cannot preallocate memory for the guest');
      }
      await this.#takeBack(first, count);
      throw error;
    }
  }

  /** Undoes a plug that did not come to its end: whatever was put there meanwhile goes. */
  async #takeBack(first: number, count: number): Promise<void> {
    await this.#protection?.protect(first, count);
    await this.#options.backing.discard(first * this.granularity, count * this.granularity);
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
      this.#listeners.populate(offset, length);
    } catch (error) {
      for (const unused of this.#emptiedWindows(first, count)) container.deactivate(unused);
      throw error;
    }
    this.map.plug(first, count);
  }

  /** Active windows that these blocks were the last of. */
  #emptiedWindows(first: number, count: number): readonly number[] {
    const { container, dynamicMemslots } = this.#options;
    if (!dynamicMemslots) return NO_WINDOWS;
    const offset = first * this.granularity;
    const last = container.lastWindow(offset, count * this.granularity);
    let emptied = NO_WINDOWS;
    for (let window = container.firstWindow(offset); window <= last; window++) {
      if (!container.isActive(window) || !this.#isWindowUnplugged(window)) continue;
      emptied = [...emptied, window];
    }
    return emptied;
  }

  async #unplugAll(): Promise<void> {
    const { container, dynamicMemslots } = this.#options;
    const runs: [first: number, count: number][] = [];
    this.map.forEachPlugged(0, this.map.blockCount, (first, count) => runs.push([first, count]));
    for (const [first, count] of runs) this.map.unplug(first, count);
    const [low] = runs[0] ?? [0];
    const [first, count] = runs.at(-1) ?? [0, 0];
    for (const [run, length] of runs) {
      this.#listeners.discard(run * this.granularity, length * this.granularity);
    }
    try {
      await this.#protection?.protect(low, first + count - low);
      if (dynamicMemslots) await container.deactivateAll(container.activeWindows());
      await this.#discard(low, first + count - low);
    } catch (error) {
      for (const [run, length] of runs) this.#restore(run, length);
      throw error;
    }
  }

  /** Puts back what a failed unplug had taken away. */
  #restore(first: number, count: number): void {
    try {
      this.#protection?.lift(first, count);
      this.#expose(first, count);
    } catch (error) {
      // The guest keeps blocks that it cannot reach; there is nobody left to tell but the user.
      const { id, gpa } = this.#options;
      const range = hex(gpa + first * this.granularity);
      logger.error({ id, range, count, error: String(error) }, 'cannot undo a failed unplug');
    }
  }

  #isWindowUnplugged(window: number): boolean {
    const { container } = this.#options;
    const { first, end } = this.#blocks(
      container.windowOffset(window),
      container.windowLength(window),
    );
    return this.map.isAllUnplugged(first, end - first);
  }

  /** Blocks of a range whose borders lie on blocks. */
  #blocks(offset: number, length: number): { first: number; end: number } {
    return { first: offset / this.granularity, end: (offset + length) / this.granularity };
  }
}
