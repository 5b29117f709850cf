/**
 * Someone who must know which parts of a sparse region hold memory: a device that maps it for DMA,
 * a dump, a migration. Offsets and lengths are bytes within the region.
 */
export interface DiscardListener {
  /** Memory appears. @throws to refuse it: then the plug is undone */
  onPopulate(offset: number, length: number): void;
  /** Memory goes away, before it is given back to the host. Must not fail. */
  onDiscard(offset: number, length: number): void;
}

/** Tells which parts of a sparse region hold memory. Nothing reads, writes or sends the others. */
export interface DiscardManager {
  /** Bytes: every boundary between populated and discarded parts is a multiple of it. */
  readonly granularity: number;
  /** Whether the whole range holds memory. An empty range does. */
  isPopulated(offset: number, length: number): boolean;
  /** Calls back for each maximal populated run within the range, in order. */
  replayPopulated(
    offset: number,
    length: number,
    visit: (offset: number, length: number) => void,
  ): void;
  /** The same for the runs without memory. */
  replayDiscarded(
    offset: number,
    length: number,
    visit: (offset: number, length: number) => void,
  ): void;
  /** Adds a listener, and tells it of everything that is populated already. */
  register(listener: DiscardListener): void;
  /** Removes it, and tells it that everything populated is gone. */
  unregister(listener: DiscardListener): void;
}

/** Listeners in the order they came, with the undo that a refusal needs. */
export class DiscardListeners {
  readonly #listeners: DiscardListener[] = [];

  add(listener: DiscardListener): void {
    this.#listeners.push(listener);
  }

  /** @returns whether it was there */
  remove(listener: DiscardListener): boolean {
    const index = this.#listeners.indexOf(listener);
    if (index < 0) return false;
    this.#listeners.splice(index, 1);
    return true;
  }

  /** Tells all; when one refuses, tells those already told that it is gone again, and throws on. */
  populate(offset: number, length: number): void {
    for (const [index, listener] of this.#listeners.entries()) {
      try {
        listener.onPopulate(offset, length);
      } catch (error) {
        for (const told of this.#listeners.slice(0, index).reverse())
          told.onDiscard(offset, length);
        throw error;
      }
    }
  }

  discard(offset: number, length: number): void {
    for (const listener of this.#listeners) listener.onDiscard(offset, length);
  }
}
