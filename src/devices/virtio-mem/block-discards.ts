import {
  DiscardListeners,
  type DiscardListener,
  type DiscardManager,
} from '../../memory/discard-manager.ts';
import type { BlockMap } from './block-map.ts';

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
    this.listeners.add(listener);
    this.replayPopulated(0, this.#size, (offset, length) => {
      listener.onPopulate(offset, length);
    });
  }

  unregister(listener: DiscardListener): void {
    if (!this.listeners.remove(listener)) return;
    this.replayPopulated(0, this.#size, (offset, length) => {
      listener.onDiscard(offset, length);
    });
  }

  /** Blocks of a range whose borders lie on blocks. */
  #blocks(offset: number, length: number): { first: number; end: number } {
    return { first: offset / this.granularity, end: (offset + length) / this.granularity };
  }
}
