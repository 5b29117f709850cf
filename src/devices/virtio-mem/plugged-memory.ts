import type { Backing } from '../../memory/backing.ts';
import type { MappingBudget } from '../../memory/mapping-budget.ts';
import type { MemslotContainer } from '../../memory/memslot-container.ts';
import { messageOf } from '../../errors.ts';
import { log } from '../../log.ts';
import { GIB, hex } from '../../units.ts';
import { BlockDiscards } from './block-discards.ts';
import { BlockMap } from './block-map.ts';
import { Leftovers } from './leftovers.ts';
import { nothing, Recipe } from './recipe.ts';
import { UnpluggedProtection } from './unplugged-protection.ts';

const logger = log('virtio-mem');

const NO_WINDOWS: readonly number[] = [];

/** Discarding so much that holds nothing takes as long as to start another discard (20 µs). */
const SHORT_GAP = 4 * GIB;

/**
 * What becomes of a read of memory that is not plugged: it sees zeros from now on, it has done so before,
 * it is to be tried again once the request at hand is done, or none of that can be.
 */
export type ZeroRead = 'shown' | 'known' | 'later' | 'refused';

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
  readonly #leftovers: Leftovers;
  /** Requests that take time and are under way. */
  #working = 0;
  #preallocWarned = false;

  /**
   * Protection is lifted first, because inaccessible memory cannot be populated; what others have
   * left there goes before anything is set aside. None of the undos fails: what cannot be undone is
   * left over.
   */
  readonly #plug = new Recipe([
    { run: (at, count) => this.#lift(at, count), undo: (at, count) => this.#takeBack(at, count) },
    { run: (at, count) => this.#clean(at, count), undo: nothing },
    { run: (at, count) => this.#reserve(at, count), undo: nothing },
    { run: (at, count) => this.#activate(at, count), undo: (at, count) => this.#tidy(at, count) },
    { run: (at, count) => this.#announce(at, count), undo: nothing },
  ]);

  /**
   * Nobody but the guest touches the memory once the listeners know, and the guest not once it is
   * protected; only then is it freed: a racing guest would fault it straight back in.
   */
  readonly #unplug = new Recipe(
    [
      {
        run: (at, count) => this.#withdraw(at, count),
        undo: (at, count) => this.#announce(at, count),
      },
      {
        run: (at, count) => this.#protect(at, count),
        undo: (at, count) => this.#reopen(at, count),
      },
      {
        run: (at, count) => this.#deactivate(at, count),
        undo: (at, count) => this.#activate(at, count),
      },
      { run: (at, count) => this.#discard(at, count), undo: nothing },
    ],
    (at, count, error) => this.#giveUp(at, count, error),
  );

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

  /**
   * Has the guest see zeros where it reads unplugged memory, at no cost to the host.
   *
   * @param offset  of what it reads
   */
  showZeros(offset: number): ZeroRead {
    const { container, id } = this.#options;
    const protection = this.#protection;
    const block = Math.floor(offset / this.granularity);
    // Without a memslot there is no memory that KVM could show.
    if (protection === undefined || !container.isActive(container.firstWindow(offset))) {
      return 'refused';
    }
    if (this.#working > 0) return 'later';
    if (protection.showsZeros(block)) return 'known';
    try {
      protection.showZeros(block);
      return 'shown';
    } catch (error) {
      const fields = { id, ...this.#place(block, 1), error: messageOf(error) };
      logger.warn(fields, 'the guest cannot be shown zeros');
      return 'refused';
    }
  }

  /** Bytes. */
  get pluggedSize(): number {
    return this.map.plugged * this.granularity;
  }

  /** Plugs blocks that are all unplugged. @throws never; rejects with everything undone */
  plug(first: number, count: number): void | Promise<void> {
    return this.#track(this.#plug.run(first, count));
  }

  /** Unplugs blocks that are all plugged. @throws never; rejects with everything undone */
  unplug(first: number, count: number): void | Promise<void> {
    return this.#track(this.#unplug.run(first, count));
  }

  /** Unplugs everything. @throws never; rejects with everything undone */
  unplugAll(): void | Promise<void> {
    if (this.map.plugged > 0 || this.#leftovers.any) return this.#track(this.#unplugAll());
  }

  #track(work: void | Promise<void>): void | Promise<void> {
    if (work === undefined) return;
    this.#working += 1;
    return work.finally(() => (this.#working -= 1));
  }

  async #unplugAll(): Promise<void> {
    const { container, dynamicMemslots } = this.#options;
    const runs: Run[] = [];
    this.map.forEachPlugged(0, this.map.blockCount, (first, count) => runs.push([first, count]));
    // Run by run, so that who leaves meanwhile can be told of those that are still there.
    for (const run of runs) this.#withdraw(...run);
    const spans = this.#spans(runs);
    try {
      for (const span of spans) await this.#protection?.protect(...span);
      if (dynamicMemslots) await container.deactivateAll(container.activeWindows());
      for (const span of spans) await this.#discard(...span);
      this.#leftovers.clear();
    } catch (error) {
      for (const run of runs) await this.#unplug.undo(...run);
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

  #lift(first: number, count: number): void {
    this.#protection?.lift(first, count);
  }

  #protect(first: number, count: number): void | Promise<void> {
    return this.#protection?.protect(first, count);
  }

  /** Has the memory read zeros. */
  #clean(first: number, count: number): void | Promise<void> {
    if (this.#leftovers.touches(first, count)) return this.#cleanLeftovers(first, count);
    return this.#options.backing.clear(first * this.granularity, count * this.granularity);
  }

  async #cleanLeftovers(first: number, count: number): Promise<void> {
    await this.#discard(first, count);
    await this.#options.backing.clear(first * this.granularity, count * this.granularity);
    this.#leftovers.remove(first, count);
  }

  /** Has the host set the memory aside, or allocate it. */
  #reserve(first: number, count: number): void | Promise<void> {
    const { backing, prealloc } = this.#options;
    if (prealloc) return this.#populate(first, count);
    return backing.secure(first * this.granularity, count * this.granularity);
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

  /** Has memslots cover the blocks. */
  #activate(first: number, count: number): void | Promise<void> {
    const { container } = this.#options;
    const windows = container.inactiveIn(first * this.granularity, count * this.granularity);
    const [window] = windows;
    if (window === undefined) return;
    // One takes less time than it would to come back for it.
    if (windows.length === 1) container.activate(window);
    else return container.activateAll(windows);
  }

  /** Listeners, bits. */
  #announce(first: number, count: number): void {
    this.listeners.populate(first * this.granularity, count * this.granularity);
    this.map.plug(first, count);
  }

  /** Bits, listeners. */
  #withdraw(first: number, count: number): void {
    this.map.unplug(first, count);
    this.listeners.discard(first * this.granularity, count * this.granularity);
  }

  /** Takes away the memslots that these blocks were the last of. */
  #deactivate(first: number, count: number): void | Promise<void> {
    const emptied = this.#emptiedWindows(first, count);
    if (emptied.length > 0) return this.#options.container.deactivateAll(emptied);
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

  #isUnplugged(offset: number, length: number): boolean {
    return this.map.isAllUnplugged(offset / this.granularity, length / this.granularity);
  }

  #discard(first: number, count: number): void | Promise<void> {
    this.#protection?.hideZeros(first, count);
    return this.#options.backing.discard(first * this.granularity, count * this.granularity);
  }

  /** After a plug that was refused: the memslots that it had made. */
  async #tidy(first: number, count: number): Promise<void> {
    try {
      await this.#deactivate(first, count);
    } catch {
      this.#leftovers.add(first, count);
    }
  }

  /** After a plug that was refused: whatever was put there meanwhile, by the guest or a listener. */
  async #takeBack(first: number, count: number): Promise<void> {
    await this.#protection?.protect(first, count);
    try {
      await this.#discard(first, count);
    } catch {
      this.#leftovers.add(first, count);
    }
  }

  /** After an unplug that was refused: a part of the memory may have gone to the host. */
  async #reopen(first: number, count: number): Promise<void> {
    this.#protection?.lift(first, count);
    try {
      await this.#reserve(first, count);
    } catch (error) {
      const { id } = this.#options;
      const message = 'memory is not set aside any more after a failed unplug';
      logger.warn({ id, ...this.#place(first, count), error: messageOf(error) }, message);
    }
  }

  /** An unplug was refused, and its undo, too: then the blocks go without what was refused. */
  #giveUp(first: number, count: number, error: unknown): Promise<void> {
    // The guest keeps blocks that it cannot reach; there is nobody left to tell but the user.
    const { id } = this.#options;
    const fields = { id, ...this.#place(first, count), error: messageOf(error) };
    logger.error(fields, 'cannot undo a failed unplug');
    return this.#plug.undo(first, count);
  }

  /** For messages. */
  #place(first: number, count: number): { readonly range: string; readonly count: number } {
    return { range: hex(this.#options.gpa + first * this.granularity), count };
  }
}
