import { BlockMap } from './block-map.ts';

type Run = readonly [first: number, count: number];

/**
 * Blocks that are not plugged and where an undo has failed: they may hold content, have a memslot or be
 * accessible, and must be cleaned before they are plugged again. Costs nothing until there is one.
 */
export class Leftovers {
  readonly #blockCount: number;
  #blocks: BlockMap | undefined;

  constructor(blockCount: number) {
    this.#blockCount = blockCount;
  }

  get any(): boolean {
    return this.#blocks !== undefined;
  }

  add(first: number, count: number): void {
    this.#blocks ??= new BlockMap(this.#blockCount);
    mark(this.#blocks, [first, count]);
  }

  /** Whether one of these blocks is among them. */
  touches(first: number, count: number): boolean {
    return this.#blocks?.isAllUnplugged(first, count) === false;
  }

  /** These blocks have been cleaned. */
  remove(first: number, count: number): void {
    const blocks = this.#blocks;
    if (blocks === undefined) return;
    for (let block = first; block < first + count; block++) {
      if (blocks.isAllPlugged(block, 1)) blocks.unplug(block, 1);
    }
    if (blocks.plugged === 0) this.clear();
  }

  /** All have been cleaned. */
  clear(): void {
    this.#blocks = undefined;
  }

  /** @returns the runs of blocks that are in `runs` or among these, ascending */
  join(runs: readonly Run[]): readonly Run[] {
    if (this.#blocks === undefined) return runs;
    const all = new BlockMap(this.#blockCount);
    this.#blocks.forEachPlugged(0, this.#blockCount, (...run) => mark(all, run));
    for (const run of runs) mark(all, run);
    const joined: Run[] = [];
    all.forEachPlugged(0, this.#blockCount, (...run) => joined.push(run));
    return joined;
  }
}

function mark(map: BlockMap, [first, count]: Run): void {
  for (let block = first; block < first + count; block++) {
    if (map.isAllUnplugged(block, 1)) map.plug(block, 1);
  }
}
