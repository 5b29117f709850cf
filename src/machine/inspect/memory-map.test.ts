import { expect, it } from 'vitest';
import { GIB, MIB, TIB } from '../../units.ts';
import { cellSizeFor } from './memory-map.ts';

it.each([
  [TIB, 2 * MIB, 1024, GIB],
  [TIB, 2 * MIB, 1000, 2 * GIB],
  [64 * MIB, 2 * MIB, 1024, 2 * MIB],
  [3 * 512 * MIB, 512 * MIB, 2, GIB],
  [TIB, 2 * MIB, 1, TIB],
])(
  'a region of %i bytes in blocks of %i is cut into %i cells of %i',
  (size, block, cells, cell) => {
    expect(cellSizeFor(size, block, cells)).toBe(cell);
  },
);
