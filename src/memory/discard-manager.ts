/**
 * Someone who must know which parts of a sparse region hold memory: a device that maps it for DMA,
 * a dump, a migration. Offsets and lengths are bytes within the region, multiples of its granularity.
 * While it is told, `isPopulated` says no for the range: nothing may use memory before all know of it, or
 * after the first knows that it goes.
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
  /** Calls back for each maximal populated run, in order, cut to the range. */
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
  /**
   * Adds a listener, and tells it of everything that is populated already. Listeners hear of what comes
   * in the order of their registration; it may be done from within a listener.
   * @throws what the listener throws: it has not been added, and knows of nothing
   */
  register(listener: DiscardListener): void;
  /**
   * Removes it, and tells it that everything it knows of is gone; idempotent. It may be done from within
   * a listener, but not while it is being registered.
   */
  unregister(listener: DiscardListener): void;
}
