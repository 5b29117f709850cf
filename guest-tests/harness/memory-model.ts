import type { MemConfig } from './agent.ts';
import { MIB } from './sizes.ts';

/** What a block holds, as far as the guest knows: a pattern by its seed, or zeros. */
export interface Block {
  readonly seed: number;
  /** Whether it may take memory of the host: written, or at least read. */
  readonly touched: boolean;
}

/** A run of blocks that are alike. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

/** The rules of a memory device as a guest sees them: an entry for each block, and loops. */
export class MemoryModel {
  readonly block: number;
  readonly addr: number;
  readonly blocks: (Block | undefined)[];
  requested: number;
  usable: number;
  /** Blocks that the host can provide. */
  capacity = Infinity;

  constructor({ block, addr, region, requested }: MemConfig) {
    this.block = block;
    this.addr = addr;
    this.blocks = Array.from({ length: region / block }, () => undefined);
    this.requested = requested;
    this.usable = this.#usableFor();
  }

  get plugged(): number {
    return this.blocks.filter((it) => it !== undefined).length;
  }

  address(block: number): number {
    return this.addr + block * this.block;
  }

  /** What the device must answer. */
  judge(what: 'plug' | 'unplug' | 'state', { first, count }: Run): string {
    const end = first + count;
    if (count === 0 || first < 0 || end * this.block > this.usable) return 'error';
    const range = this.blocks.slice(first, end);
    const plugged = range.filter((it) => it !== undefined).length;
    if (what === 'state')
      return plugged === count ? 'ack plugged' : plugged === 0 ? 'ack unplugged' : 'ack mixed';
    if (what === 'unplug') return plugged === count ? 'ack' : 'error';
    if (plugged > 0) return 'error';
    if ((this.plugged + count) * this.block > this.requested) return 'nack';
    return this.plugged + count > this.capacity ? 'busy' : 'ack';
  }

  set({ first, count }: Run, to: Block | undefined): void {
    this.blocks.fill(to, first, first + count);
  }

  unplugAll(): void {
    this.set({ first: 0, count: this.blocks.length }, undefined);
    this.usable = this.#usableFor();
  }

  resize(bytes: number): void {
    this.requested = bytes;
    this.usable = Math.max(this.usable, this.#usableFor());
  }

  /** Maximal runs of usable blocks for which `alike` has one value that is not undefined. */
  runs<T>(alike: (block: Block | undefined) => T | undefined): (Run & { readonly value: T })[] {
    const runs: { first: number; count: number; value: T }[] = [];
    for (let at = 0; at < this.usable / this.block; at++) {
      const value = alike(this.blocks[at]);
      const last = runs.at(-1);
      if (value === undefined) continue;
      if (last?.value === value && last.first + last.count === at) last.count += 1;
      else runs.push({ first: at, count: 1, value });
    }
    return runs;
  }

  /** How many windows of so many bytes hold a plugged block. */
  windows(size: number): number {
    const held = new Set<number>();
    for (const [at, it] of this.blocks.entries()) {
      if (it !== undefined) held.add(Math.floor((at * this.block) / size));
    }
    return held.size;
  }

  #usableFor(): number {
    const wanted = Math.min(this.blocks.length * this.block, this.requested + 256 * MIB);
    return this.requested === 0 ? 0 : Math.ceil(wanted / this.block) * this.block;
  }
}
