/*
 * Contract only, until the ring lands: what a device sees of a queue.
 */

/** One request: a chain of buffers that the driver made available. Valid until it is completed. */
export interface DescriptorChain {
  /** Index of the first descriptor. */
  readonly head: number;
  /** Bytes the device may read, and write, in all. */
  readonly readableLength: number;
  readonly writableLength: number;
  /** Copies readable bytes from `offset` on. @returns bytes copied; fewer at the end of the chain */
  read(offset: number, target: Uint8Array, length: number): number;
  /** Copies into the writable part from `offset` on. @returns bytes copied */
  write(offset: number, source: Uint8Array, length: number): number;
}

export interface SplitQueue {
  readonly index: number;
  readonly size: number;
  /**
   * Takes the next available chain.
   * @returns undefined when there is none, or when the ring is broken (then the transport has been told)
   */
  pop(): DescriptorChain | undefined;
  /** Puts a chain on the used ring with the number of bytes written, and interrupts the driver if it asked. */
  complete(chain: DescriptorChain, writtenBytes: number): void;
  /**
   * Starts serving: `serve` is called for one chain at a time, in ring order; a promise holds the next back.
   * Kicks, polling after a kick, and event suppression are the queue's business.
   */
  start(serve: (chain: DescriptorChain) => void | Promise<void>): void;
}
