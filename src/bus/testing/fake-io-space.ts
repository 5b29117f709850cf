import { allOnes, readSized } from '../../bytes.ts';
import { IoRangeList } from '../io-range-list.ts';
import type { ServedRange } from '../served-range.ts';
import { IoRangeTags } from '../io-range-tags.ts';
import type { IoRange, IoRangeOptions, IoSpace } from '../io-space.ts';

export interface FakeIoSpaceOptions {
  /** Default MMIO. */
  readonly kind?: 'port' | 'mmio';
}

interface PostedWrite {
  readonly tag: number;
  readonly offset: number;
  readonly size: number;
  readonly value: number;
}

/**
 * An address space that a test drives as the guest does: nobody's addresses read all ones and
 * ignore writes, shadows answer without the handler, posted writes wait for `drain` or for the
 * next access that does reach a handler.
 */
export class FakeIoSpace implements IoSpace {
  readonly #tags = new IoRangeTags();
  readonly #list: IoRangeList;
  readonly #posted: PostedWrite[] = [];

  constructor({ kind = 'mmio' }: FakeIoSpaceOptions = {}) {
    this.#list = new IoRangeList({
      name: kind === 'port' ? 'port' : 'MMIO',
      size: kind === 'port' ? 0x1_0000 : 2 ** 52,
      tags: this.#tags,
      backend: {
        add: (range) => (range.read === 'shadow' ? new Uint8Array(range.size) : undefined),
        remove: () => undefined,
      },
    });
  }

  add(options: IoRangeOptions): IoRange {
    return this.#list.add(options);
  }

  isFree(base: number, size: number): boolean {
    return this.#list.isFree(base, size);
  }

  ranges(): readonly IoRange[] {
    return this.#list.ranges();
  }

  /** Name of the range that an access falls into. */
  ownerOf(address: number, size = 1): string | undefined {
    return this.#list.find(address, size)?.name;
  }

  /** Reads 1, 2 or 4 bytes. */
  read(address: number, size: number): number {
    const range = this.#list.find(address, size);
    if (range === undefined) return allOnes(size);
    const offset = address - range.base;
    const shadow = this.#shadowOf(range);
    if (shadow !== undefined) {
      return readSized(new DataView(shadow.buffer, shadow.byteOffset, shadow.length), offset, size);
    }
    this.drain();
    const value = range.handler.read(offset, size);
    if (!Number.isInteger(value) || value < 0 || value > allOnes(size)) {
      throw new Error(`${range.name} answered ${value} to a read of ${size} bytes`);
    }
    return value;
  }

  /** Writes the low 1, 2 or 4 bytes of a value. */
  write(address: number, size: number, value: number): void {
    const range = this.#list.find(address, size);
    if (range === undefined) return;
    const low = (value & allOnes(size)) >>> 0;
    this.#posted.push({ tag: range.tag, offset: address - range.base, size, value: low });
    if (range.write === 'sync') this.drain();
  }

  /** Reads 8 bytes, as two accesses of 4. */
  read64(address: number): bigint {
    const low = this.read(address, 4);
    return BigInt(low) | (BigInt(this.read(address + 4, 4)) << 32n);
  }

  /** Writes 8 bytes, as two accesses of 4. */
  write64(address: number, value: bigint): void {
    this.write(address, 4, Number(value & 0xffff_ffffn));
    this.write(address + 4, 4, Number((value >> 32n) & 0xffff_ffffn));
  }

  /** Hands posted writes to their handlers; those of ranges that went away reach nobody. */
  drain(): void {
    for (let write = this.#posted.shift(); write !== undefined; write = this.#posted.shift()) {
      this.#tags.get(write.tag)?.handler.write(write.offset, write.size, write.value);
    }
  }

  #shadowOf(range: ServedRange): Uint8Array | undefined {
    return this.ranges().find(({ base }) => base === range.base)?.shadow;
  }
}
