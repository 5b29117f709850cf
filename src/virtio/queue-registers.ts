import { isPowerOfTwo } from '../units.ts';
import type { RingAddresses } from './ring-memory.ts';

/** The three areas of a queue, in the order of the standard's registers. */
export type RingArea = keyof RingAddresses;

const TWO_32 = 2 ** 32;

/** What a driver sets up of one queue before DRIVER_OK (virtio 1.3 §4.1.5.1.3). */
export class QueueRegisters {
  /** Largest size that the device serves, a power of two. */
  readonly maxSize: number;
  #size: number;
  #enabled = false;
  readonly #low: Record<RingArea, number> = { descriptors: 0, avail: 0, used: 0 };
  readonly #high: Record<RingArea, number> = { descriptors: 0, avail: 0, used: 0 };

  constructor(maxSize: number) {
    this.maxSize = maxSize;
    this.#size = maxSize;
  }

  get size(): number {
    return this.#size;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** An address of 2^53 and more is rounded, and refused where memory is looked up. */
  get addresses(): RingAddresses {
    const address = (area: RingArea): number => this.#high[area] * TWO_32 + this.#low[area];
    return {
      descriptors: address('descriptors'),
      avail: address('avail'),
      used: address('used'),
    };
  }

  /** Ignored when the queue is enabled already, or when no queue can have this size. */
  setSize(size: number): void {
    if (this.#enabled || !isPowerOfTwo(size) || size > this.maxSize) return;
    // As an integer to the engine, too: what comes from a register is a float, and slows every index.
    this.#size = size | 0;
  }

  /** A queue once enabled stays so until the reset. */
  enable(): void {
    this.#enabled = true;
  }

  /** Half of an address, as a u32. */
  half(area: RingArea, high: boolean): number {
    return (high ? this.#high : this.#low)[area];
  }

  /** Ignored when the queue is enabled already. */
  setHalf(area: RingArea, high: boolean, value: number): void {
    if (!this.#enabled) (high ? this.#high : this.#low)[area] = value;
  }
}
