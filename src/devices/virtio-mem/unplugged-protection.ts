import type { Backing } from '../../memory/backing.ts';
import type { MappingBudget } from '../../memory/mapping-budget.ts';
import { errorCode, messageOf } from '../../errors.ts';
import { log } from '../../log.ts';
import { MIB, PAGE_SIZE } from '../../units.ts';
import { BlockMap } from './block-map.ts';
import { ZeroBlocks } from './zero-blocks.ts';

const logger = log('virtio-mem');

/**
 * Memory protected at a time. Where the guest has touched base pages, 32 MiB take about a millisecond;
 * where it has touched nothing, only the calls cost, so steps that take no time make the next larger.
 */
const STEP_BYTES = { least: 32 * MIB, most: 256 * MIB } as const;
/** A step below this makes the next one larger, ms. */
const QUICK_STEP_MS = 0.25;
/** Work at a time, ms: then other work gets its turn. */
const TURN_MS = 1;

export interface ProtectionOptions {
  readonly id: string;
  /** Bytes. */
  readonly blockSize: number;
  readonly backing: Backing;
  /** Which blocks are plugged: the truth that the protection follows. */
  readonly plugged: BlockMap;
  readonly budget: MappingBudget;
  /** Milliseconds; a parameter for tests. */
  readonly clock?: () => number;
}

/**
 * Keeps what is not plugged inaccessible in this process's address space, and with it for the guest:
 * KVM maps nothing that the process itself could not touch. Memory that never was accessible is out
 * of the host's commit accounting, too.
 *
 * The kernel has one mapping for each range of equal protection and a limit of mappings. Where that is
 * near, plugged memory stays usable and unplugged memory stays accessible, until a neighbour's
 * change makes room; it is counted.
 */
export class UnpluggedProtection {
  readonly #options: ProtectionOptions;
  /** Blocks that are accessible: those that are plugged, and those that could not be protected. */
  readonly #open: BlockMap;
  readonly #zeros: ZeroBlocks;
  #warned = false;

  /** Protects everything; nothing is plugged yet. @throws HostError when the host refuses that */
  constructor(options: ProtectionOptions) {
    this.#options = options;
    const { backing, plugged } = options;
    this.#open = new BlockMap(plugged.blockCount);
    this.#zeros = new ZeroBlocks({ ...options, mapping: backing.mapping });
    backing.mapping.protect(0, backing.size, 'none');
    if (backing.sharedZeropage) letRangesMerge(backing);
  }

  /** Blocks that are not plugged and yet accessible, for want of mappings. */
  get unprotected(): number {
    return this.#open.plugged - this.#options.plugged.plugged;
  }

  showsZeros(block: number): boolean {
    return this.#zeros.has(block);
  }

  /** Has a protected block, which must hold nothing, read zeros. @throws when the host refuses */
  showZeros(block: number): void {
    this.#zeros.show(block);
  }

  /** Ends that: the blocks are protected again. @throws when the host refuses */
  hideZeros(first: number, count: number): void {
    this.#zeros.hide(first, first + count);
  }

  /** Makes unplugged blocks accessible. @throws when the host refuses: they stay as they were */
  lift(first: number, count: number): void {
    const end = first + count;
    const cost = this.#cost(first, end, true);
    if (this.#options.budget.take(cost)) {
      try {
        this.#setAccess(first, end, 'read-write');
        this.#mark(first, end, true);
        return;
      } catch (error) {
        this.#options.budget.take(-cost);
        this.#settle(first, end);
        if (errorCode(error) !== 'ENOMEM') throw error;
      }
    }
    this.#liftUpToNeighbour(first, end);
  }

  /**
   * Protects blocks that are not plugged any more, and unprotected ones beside them. Large ranges go
   * in steps, between which other work gets its turn: then a promise comes back. Never fails.
   */
  protect(first: number, count: number): void | Promise<void> {
    const { blockSize } = this.#options;
    // Usually these are all that are accessible, and there is nothing to look for in a large region.
    const [from, end] =
      this.unprotected === count ? [first, first + count] : this.#gap(first, count);
    if (end <= from) return;
    if ((end - from) * blockSize > STEP_BYTES.least) return this.#protectInSteps(from, end);
    this.#close(from, end);
  }

  /** The accessible blocks about these, up to the next ones that are plugged. */
  #gap(first: number, count: number): readonly [from: number, end: number] {
    const { plugged } = this.#options;
    const start = plugged.lastPlugged(0, first) + 1;
    const end = plugged.nextPlugged(first + count, plugged.blockCount);
    return [this.#open.nextPlugged(start, end), this.#open.lastPlugged(start, end) + 1];
  }

  async #protectInSteps(from: number, end: number): Promise<void> {
    const { blockSize, clock = () => performance.now() } = this.#options;
    const most = Math.floor(STEP_BYTES.most / blockSize);
    const least = Math.max(1, Math.floor(STEP_BYTES.least / blockSize));
    let step = least;
    let turn = clock();
    for (let at = from; at < end; ) {
      const start = clock();
      const to = Math.min(end, at + step);
      if (!this.#close(at, to)) return;
      const now = clock();
      step = Math.max(least, now - start < QUICK_STEP_MS ? Math.min(4 * step, most) : step / 4);
      at = this.#open.nextPlugged(to, end);
      if (now - turn < TURN_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turn = clock();
    }
  }

  /** @returns false when the blocks stay accessible */
  #close(from: number, end: number): boolean {
    const cost = this.#cost(from, end, false);
    if (!this.#options.budget.take(cost)) {
      this.#warn('vm.max_map_count is near');
      return false;
    }
    try {
      this.#setAccess(from, end, 'none');
      this.#mark(from, end, false);
      return true;
    } catch (error) {
      this.#options.budget.take(-cost);
      this.#settle(from, end);
      this.#warn(messageOf(error));
      return false;
    }
  }

  /** A refusal may have come halfway: accessible is what the books say, so make it so. */
  #settle(from: number, end: number): void {
    const runs: [first: number, count: number, access: 'none' | 'read-write'][] = [];
    this.#open.forEachPlugged(from, end, (...run) => runs.push([...run, 'read-write']));
    this.#open.forEachUnplugged(from, end, (...run) => runs.push([...run, 'none']));
    for (const [first, count, access] of runs) {
      try {
        this.#setAccess(first, first + count, access);
      } catch {
        // Inaccessible blocks may be taken for accessible: none of them is plugged, and each is made
        // accessible before it is. The other way round they must be counted.
        if (access === 'none') this.#countOpen(first, first + count);
      }
    }
  }

  /** Blocks may be accessible: each border that they add takes a mapping, whatever the budget. */
  #countOpen(from: number, end: number): void {
    this.#options.budget.force(this.#cost(from, end, true));
    this.#mark(from, end, true);
  }

  /** Without a mapping to spare: opens what lies between, too, so that no border is added. */
  #liftUpToNeighbour(first: number, end: number): void {
    const total = this.#open.blockCount;
    const left = this.#open.lastPlugged(0, first) + 1;
    const right = this.#open.nextPlugged(end, total);
    let range: readonly [from: number, end: number] = [0, total];
    if (left > 0 && (right === total || first - left <= right - end)) range = [left, end];
    else if (right < total) range = [first, right];
    try {
      this.#setAccess(...range, 'read-write');
    } catch (error) {
      this.#settle(...range);
      throw error;
    }
    this.#countOpen(...range);
    this.#warn('vm.max_map_count is near');
  }

  /** Mappings that it takes to have [from, end) all accessible or not: negative when some go. */
  #cost(from: number, end: number, open: boolean): number {
    const total = this.#open.blockCount;
    const low = Math.max(0, from - 1);
    const high = Math.min(total, end + 1);
    let borders = 0;
    this.#open.forEachPlugged(low, high, (first, count) => {
      borders -= Number(first > low) + Number(first + count < high);
    });
    for (const outside of [from - 1, end]) {
      if (outside < 0 || outside >= total) continue;
      if (this.#open.isAllPlugged(outside, 1) !== open) borders += 1;
    }
    return borders;
  }

  #mark(from: number, end: number, open: boolean): void {
    const runs: [first: number, count: number][] = [];
    const visit = (first: number, count: number): void => void runs.push([first, count]);
    if (open) this.#open.forEachUnplugged(from, end, visit);
    else this.#open.forEachPlugged(from, end, visit);
    for (const [first, count] of runs) {
      if (open) this.#open.plug(first, count);
      else this.#open.unplug(first, count);
    }
  }

  #setAccess(from: number, end: number, access: 'none' | 'read-write'): void {
    const { backing, blockSize } = this.#options;
    this.#zeros.hide(from, end);
    backing.mapping.protect(from * blockSize, (end - from) * blockSize, access);
  }

  #warn(why: string): void {
    if (this.#warned) return;
    this.#warned = true;
    const message =
      'unplugged memory stays accessible to the guest: too many mappings (raise vm.max_map_count, or use larger blocks)';
    logger.warn({ id: this.#options.id, why }, message);
  }
}

/**
 * The kernel joins neighbouring ranges of private anonymous memory only if their pages belong to one
 * anon_vma, which a range gets with its first page and passes on when it is split. So all of the
 * memory is given one while it is still in one piece: else what was ever apart would stay apart.
 */
function letRangesMerge(backing: Backing): void {
  const { mapping } = backing;
  mapping.protect(0, PAGE_SIZE, 'read-write');
  mapping.write(0, new Uint8Array(1));
  void backing.discard(0, PAGE_SIZE);
  mapping.protect(0, PAGE_SIZE, 'none');
}
