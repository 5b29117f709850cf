import { log } from '../../log.ts';
import { hex } from '../../units.ts';
import { ConfigSpace, usableSizeFor } from './config.ts';
import { checkRequestedSize, type VirtioMemProperties } from './properties.ts';

const logger = log('virtio-mem');

/** Sizes of a device in bytes, as the monitor shows them. */
export interface VirtioMemSizes {
  readonly requestedSize: number;
  readonly pluggedSize: number;
  readonly usableSize: number;
}

/**
 * What was requested of a device, and where its guest may plug: the sizes in its config space
 * (virtio 1.3 §5.15.4). Pure; the plugged size is the memory's to know.
 */
export class DeviceSizes {
  readonly config = new ConfigSpace();
  readonly #properties: VirtioMemProperties;
  #requested: number;
  #usable: number;

  constructor(properties: VirtioMemProperties) {
    this.#properties = properties;
    this.#requested = properties.requestedSize;
    this.#usable = this.#usableFor(this.#requested);
    this.config.update({
      blockSize: properties.blockSize,
      node: properties.node,
      addr: properties.memaddr,
      regionSize: properties.size,
      usableSize: this.#usable,
      pluggedSize: 0,
      requestedSize: this.#requested,
    });
  }

  /** Bytes. */
  get requested(): number {
    return this.#requested;
  }

  /** Bytes from the start of the region. */
  get usable(): number {
    return this.#usable;
  }

  /**
   * The usable region grows with what is requested.
   *
   * @throws ConfigError when it is not a multiple of the block size, or more than the region
   */
  request(bytes: number): void {
    checkRequestedSize(this.#properties, bytes);
    this.#requested = bytes;
    this.#setUsable(Math.max(this.#usable, this.#usableFor(bytes)));
  }

  /** Lets the usable region shrink, since nothing is plugged. */
  recompute(): void {
    this.#setUsable(this.#usableFor(this.#requested));
  }

  /** Makes the config space show what is now. */
  publish(pluggedSize: number): void {
    this.config.updateSizes(this.#usable, pluggedSize, this.#requested);
  }

  /** Whether a request may name these blocks at all. */
  isValidRange(addr: number, count: number): boolean {
    const { memaddr, blockSize } = this.#properties;
    const offset = addr - memaddr;
    return (
      count > 0 &&
      offset >= 0 &&
      Number.isSafeInteger(addr) &&
      addr % blockSize === 0 &&
      offset + count * blockSize <= this.#usable
    );
  }

  /** @param addr  of a valid range */
  blockOf(addr: number): number {
    return (addr - this.#properties.memaddr) / this.#properties.blockSize;
  }

  #setUsable(bytes: number): void {
    if (logger.isTraced && bytes !== this.#usable) {
      const { id } = this.#properties;
      logger.trace({ id, from: hex(this.#usable), to: hex(bytes) }, 'usable region');
    }
    this.#usable = bytes;
  }

  #usableFor(requestedSize: number): number {
    return usableSizeFor(requestedSize, this.#properties.size, this.#properties.blockSize);
  }
}
