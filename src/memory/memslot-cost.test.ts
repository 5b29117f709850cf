import { describe, expect, it } from 'vitest';
import { GIB, TIB } from '../units.ts';
import { memslotMetadataBytes, whenNesting } from './memslot-cost.ts';

const model = (reverseMaps: boolean, writeTracking: boolean, nesting = true) => {
  return { reverseMaps, writeTracking, nesting };
};

// Measured as growth of VmallocUsed for one slot on real kernels.
describe('memslotMetadataBytes', () => {
  it.each([
    ['shadow paging, 1 TiB', TIB, model(true, true), 2_632_732],
    ['shadow paging, 1 GiB', GIB, model(true, true), 2_576],
    ['TDP MMU of 6.1, 1 TiB', TIB, model(false, true), 527_364],
    ['no TDP MMU in 6.12, 1 TiB', TIB, model(true, false), 2_058 * 1024],
    ['TDP MMU of 6.12, 1 TiB', TIB, model(false, false), 2_052],
  ])('is within a percent of what a kernel takes: %s', (_name, size, of, measuredKib) => {
    const kib = memslotMetadataBytes(size, of) / 1024;
    expect(Math.abs(kib - measuredKib) / measuredKib).toBeLessThan(0.01);
  });
});

describe('a guest that runs guests', () => {
  it('makes KVM allocate all of it, where it can', () => {
    const all = memslotMetadataBytes(TIB, model(true, true));
    for (const [maps, tracking] of [
      [false, false],
      [false, true],
      [true, false],
    ] as const) {
      expect(memslotMetadataBytes(TIB, whenNesting(model(maps, tracking)))).toBe(all);
    }
    expect(whenNesting(model(false, true, false))).toEqual(model(false, true, false));
  });
});
