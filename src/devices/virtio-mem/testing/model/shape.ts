import { GIB, MIB } from '../../../../units.ts';
import type { VirtioMemOptions } from '../../properties.ts';
import type { Random } from './random.ts';

/** A device to try, as plain numbers; sizes in bytes. */
export interface Shape {
  readonly blockSize: number;
  /** Blocks of the region. */
  readonly blocks: number;
  /** Blocks that are requested at first. */
  readonly requestedBlocks: number;
  readonly dynamicMemslots: boolean;
  /** 0: chosen by the device. */
  readonly memslotSize: number;
  /** Whether neighbouring windows may be one memslot when many are active. */
  readonly sharesMemslots: boolean;
  readonly unpluggedInaccessible: 'on' | 'off' | 'auto';
  readonly protectUnplugged: boolean;
  readonly prealloc: boolean;
  /** `memfd` is set aside before it is handed out; `zeroing` cannot be given back to the host. */
  readonly memory: 'private' | 'shared' | 'memfd' | 'zeroing';
  /** Mappings that protection may use: few, and it has to make do. */
  readonly mappings: number;
}

const BLOCK_SIZES = [MIB, 2 * MIB, 2 * MIB, 4 * MIB, 32 * MIB, 128 * MIB, 512 * MIB, GIB];

export function randomShape(random: Random): Shape {
  const blockSize = random.pick(BLOCK_SIZES);
  const dynamicMemslots = random.once(2);
  const unpluggedInaccessible = dynamicMemslots
    ? 'on'
    : random.pick(['on', 'on', 'off', 'auto'] as const);
  const blocks = 3 + random.below(blockSize >= 512 * MIB ? 12 : 120);
  const memslotSize = random.pick([0, blockSize, 2 * blockSize, 8 * blockSize]);
  return {
    blockSize,
    blocks,
    requestedBlocks: random.below(blocks + 1),
    dynamicMemslots,
    memslotSize: dynamicMemslots ? memslotSize : 0,
    sharesMemslots: dynamicMemslots && random.once(2),
    unpluggedInaccessible,
    protectUnplugged: unpluggedInaccessible === 'on' && !random.once(3),
    // Populating a GiB for each step would take all day.
    prealloc: blockSize <= 4 * MIB && random.once(3),
    memory: randomMemory(random, blockSize),
    mappings: random.pick([1000, 1000, 1000, 6]),
  };
}

function randomMemory(random: Random, blockSize: number): Shape['memory'] {
  const memory = random.pick(['private', 'private', 'shared', 'memfd', 'zeroing'] as const);
  // Every byte of it is written.
  return memory === 'zeroing' && blockSize > 2 * MIB ? 'private' : memory;
}

export function optionsOf(shape: Shape): VirtioMemOptions {
  const { blockSize, blocks, memslotSize, protectUnplugged } = shape;
  return {
    id: 'vm0',
    size: blocks * blockSize,
    blockSize,
    requestedSize: shape.requestedBlocks * blockSize,
    dynamicMemslots: shape.dynamicMemslots,
    unpluggedInaccessible: shape.unpluggedInaccessible,
    protectUnplugged: protectUnplugged ? 'on' : 'off',
    prealloc: shape.prealloc,
    memslotSize: memslotSize === 0 ? undefined : memslotSize,
  };
}
