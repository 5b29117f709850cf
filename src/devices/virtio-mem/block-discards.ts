import { DiscardListeners, tellDiscard } from '../../memory/discard-listeners.ts';
import type { DiscardListener, DiscardManager } from '../../memory/discard-manager.ts';
import type { BlockMap } from './block-map.ts';

type VisitRange = (offset: number, length: number) => void;

/** Tells which blocks of a region hold memory, by its map of plugged blocks. */
export class BlockDiscards implements DiscardManager {
  readonly granularity: number;
  readonly map: BlockMap;
  /** Who is told before the map changes. */
  protected readonly listeners = new DiscardListeners();

  /** @param blockSize  bytes */
  constructor(blockSize: number, map: BlockMap) {
    this.granularity = blockSize;
    this.map = map;
  }

  get #size(): number {
    return this.map.blockCount * this.granularity;
  }

  isPopulated(offset: number, length: number): boolean {
    if (length === 0) return true;
    const first = Math.floor(offset / this.granularity);
    const end = Math.ceil((offset + length) / this.granularity);
    return this.map.isAllPlugged(first, end - first);
  }

  replayPopulated(offset: number, length: number, visit: VisitRange): void {
    const { first, end } = this.#blocks(offset, length);
    this.map.forEachPlugged(first, end, (...run) => this.#visit(run, offset, length, visit));
  }

  replayDiscarded(offset: number, length: number, visit: VisitRange): void {
    const { first, end } = this.#blocks(offset, length);
    this.map.forEachUnplugged(first, end, (...run) => this.#visit(run, offset, length, visit));
  }

  register(listener: DiscardListener): void {
    this.listeners.add(listener);
    let told = 0;
    try {
      this.replayPopulated(0, this.#size, (offset, length) => {
        listener.onPopulate(offset, length);
        told = offset + length;
      });
    } catch (error) {
      this.listeners.remove(listener);
      this.#replayGone(listener, told);
      throw error;
    }
  }

  unregister(listener: DiscardListener): void {
    if (this.listeners.remove(listener)) this.#replayGone(listener, this.#size);
  }

  #replayGone(listener: DiscardListener, end: number): void {
    this.replayPopulated(0, end, (offset, length) => tellDiscard(listener, offset, length));
  }

  /** Cuts a run of blocks to the range that was asked for. */
  #visit(
    [block, count]: readonly [number, number],
    offset: number,
    length: number,
    visit: VisitRange,
  ): void {
    const start = Math.max(offset, block * this.granularity);
    const end = Math.min(offset + length, (block + count) * this.granularity);
    visit(start, end - start);
  }

  /** Blocks of which some byte is in the range. */
  #blocks(offset: number, length: number): { first: number; end: number } {
    if (length === 0) return { first: 0, end: 0 };
    const first = Math.max(0, Math.floor(offset / this.granularity));
    const last = Math.ceil((offset + length) / this.granularity);
    return { first, end: Math.min(this.map.blockCount, last) };
  }
}
