import type { Backing } from '../../memory/backing.ts';
import type { MappingBudget } from '../../memory/mapping-budget.ts';

/** Blocks that show zeros at a time: who reads all memory goes from one to the next. */
const MOST = 64;
/** Mappings that one takes: its own, another border, and a place aside. */
const MAPPINGS = 3;

export interface ZeroBlocksOptions {
  /** Bytes. */
  readonly blockSize: number;
  readonly mapping: Pick<Backing['mapping'], 'showZeros' | 'hideZeros'>;
  readonly budget: MappingBudget;
}

/**
 * Blocks of inaccessible memory that read zeros, because the guest reads them and is to go on: the
 * kernel's page of zeros takes their place, so that they cost no memory. They are few; the oldest gives way.
 */
export class ZeroBlocks {
  readonly #options: ZeroBlocksOptions;
  /** In the order they came. */
  readonly #shown = new Set<number>();

  constructor(options: ZeroBlocksOptions) {
    this.#options = options;
  }

  has(block: number): boolean {
    return this.#shown.has(block);
  }

  /** Has an inaccessible, empty block read zeros. @throws when the host refuses */
  show(block: number): void {
    const { blockSize, mapping, budget } = this.#options;
    const [oldest] = this.#shown;
    if (oldest !== undefined && (this.#shown.size >= MOST || budget.left < MAPPINGS)) {
      this.hide(oldest, oldest + 1);
    }
    if (!budget.take(MAPPINGS)) throw new Error('vm.max_map_count is near');
    try {
      mapping.showZeros(block * blockSize, blockSize);
    } catch (error) {
      budget.take(-MAPPINGS);
      throw error;
    }
    this.#shown.add(block);
  }

  /** Makes those from `from` to `end` inaccessible memory again. @throws when the host refuses */
  hide(from: number, end: number): void {
    const { blockSize, mapping, budget } = this.#options;
    for (const block of this.#shown) {
      if (block < from || block >= end) continue;
      mapping.hideZeros(block * blockSize, blockSize);
      this.#shown.delete(block);
      budget.take(-MAPPINGS);
    }
  }
}
