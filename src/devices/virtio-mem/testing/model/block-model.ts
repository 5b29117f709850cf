import { GIB, MIB } from '../../../../units.ts';
import type { AnyRequest } from './any-request.ts';
import type { Shape } from './shape.ts';

export type Ruling = 'ack' | 'nack' | 'busy' | 'error';

/**
 * The rules of a memory device, told as plainly as can be: an entry per block, and loops over all of
 * them. Written from the rules alone, it shares no code with the device that it judges.
 */
export class BlockModel {
  readonly shape: Shape;
  readonly base: number;
  readonly plugged: boolean[];
  /** What the guest wrote to each block; 0 when nothing since it was plugged. */
  readonly content: number[];
  requested: number;
  usable: number;
  /** Whether memory may not change. */
  held = false;

  constructor(shape: Shape, base: number) {
    this.shape = shape;
    this.base = base;
    this.plugged = Array.from({ length: shape.blocks }, () => false);
    this.content = Array.from({ length: shape.blocks }, () => 0);
    this.requested = shape.requestedBlocks * shape.blockSize;
    this.usable = this.#usableFor();
  }

  /** Another in the same state. */
  copy(): BlockModel {
    const copy = new BlockModel(this.shape, this.base);
    copy.take(this);
    return copy;
  }

  /** Goes over to the state of another one. */
  take({ plugged, content, requested, usable, held }: BlockModel): void {
    this.held = held;
    this.plugged.splice(0, Infinity, ...plugged);
    this.content.splice(0, Infinity, ...content);
    this.requested = requested;
    this.usable = usable;
  }

  get regionSize(): number {
    return this.shape.blocks * this.shape.blockSize;
  }

  get pluggedSize(): number {
    return this.plugged.filter((it) => it).length * this.shape.blockSize;
  }

  /** What the device must answer where the host does as it is told. */
  judge(request: AnyRequest): Ruling {
    const { type, addr, count } = request;
    const done = this.held ? 'busy' : 'ack';
    if (type === 'unplug-all') return this.pluggedSize === 0 ? 'ack' : done;
    const { blockSize } = this.shape;
    const inside = addr >= this.base && addr + count * blockSize <= this.base + this.usable;
    if (!inside || count === 0 || (addr - this.base) % blockSize !== 0) return 'error';
    if (type === 'state') return 'ack';
    const blocks = this.blocksOf(request);
    if (type === 'unplug') return blocks.every((it) => this.#is(it)) ? done : 'error';
    if (blocks.some((it) => this.#is(it))) return 'error';
    return this.pluggedSize + count * blockSize > this.requested ? 'nack' : done;
  }

  /** The blocks that a valid request names. */
  blocksOf({ type, addr, count }: AnyRequest): readonly number[] {
    const all = this.plugged.map((_, block) => block);
    if (type === 'unplug-all') return all.filter((block) => this.#is(block));
    const first = (addr - this.base) / this.shape.blockSize;
    return all.filter((block) => block >= first && block < first + count);
  }

  /** Has happened what an ACK means. */
  carryOut(request: AnyRequest): void {
    if (request.type === 'state') return;
    for (const block of this.blocksOf(request)) {
      this.plugged[block] = request.type === 'plug';
      this.content[block] = 0;
    }
    if (request.type === 'unplug-all') this.usable = this.#usableFor();
  }

  /** 0: all plugged, 1: none, 2: some; for a STATE that is acknowledged. */
  stateOf(request: AnyRequest): number {
    const blocks = this.blocksOf(request);
    if (blocks.every((it) => this.#is(it))) return 0;
    return blocks.some((it) => this.#is(it)) ? 2 : 1;
  }

  #is(block: number): boolean {
    return this.plugged[block] === true;
  }

  canRequest(bytes: number): boolean {
    return bytes <= this.regionSize && bytes % this.shape.blockSize === 0;
  }

  resize(bytes: number): void {
    this.requested = bytes;
    this.usable = Math.max(this.usable, this.#usableFor());
  }

  /** Runs of equal blocks, each with its first block and its length. */
  runs(plugged: boolean): [first: number, count: number][] {
    const runs: [number, number][] = [];
    for (const [block, is] of this.plugged.entries()) {
      if (is !== plugged) continue;
      const last = runs.at(-1);
      if (last !== undefined && last[0] + last[1] === block) last[1] += 1;
      else runs.push([block, 1]);
    }
    return runs;
  }

  /** The memslots that there must be: each as its address and size. */
  memslots(): [gpa: number, size: number][] {
    const window = this.#windowSize();
    const slots: [number, number][] = [];
    for (let offset = 0; offset < this.regionSize; offset += window) {
      const size = Math.min(window, this.regionSize - offset);
      const held = this.plugged.some((is, block) => {
        const at = block * this.shape.blockSize;
        return is && at >= offset && at < offset + size;
      });
      if (held || !this.shape.dynamicMemslots) slots.push([this.base + offset, size]);
    }
    return slots;
  }

  #windowSize(): number {
    const { dynamicMemslots, memslotSize, blockSize } = this.shape;
    if (!dynamicMemslots) return this.regionSize;
    return memslotSize === 0 ? Math.max(GIB, blockSize) : memslotSize;
  }

  #usableFor(): number {
    if (this.requested === 0) return 0;
    const { blockSize } = this.shape;
    const wanted = Math.min(this.regionSize, this.requested + 256 * MIB);
    return Math.ceil(wanted / blockSize) * blockSize;
  }
}
