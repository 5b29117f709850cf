import { describe, expect, it } from 'vitest';
import { GIB, TIB } from '../units.ts';
import { memslotMetadataBytes } from './memslot-cost.ts';

// Measured as growth of VmallocUsed for one slot on real kernels.
describe('memslotMetadataBytes', () => {
  it.each([
    ['shadow paging, 1 TiB', TIB, { tdpMmu: false, smm: false }, 2_632_732],
    ['shadow paging, 1 GiB', GIB, { tdpMmu: false, smm: false }, 2_576],
    ['TDP MMU, 1 TiB', TIB, { tdpMmu: true, smm: false }, 527_364],
  ])('is within a percent of what a kernel takes: %s', (_name, size, model, measuredKib) => {
    const kib = memslotMetadataBytes(size, model) / 1024;
    expect(Math.abs(kib - measuredKib) / measuredKib).toBeLessThan(0.01);
  });

  it('doubles with SMM', () => {
    const one = memslotMetadataBytes(TIB, { tdpMmu: true, smm: false });
    expect(memslotMetadataBytes(TIB, { tdpMmu: true, smm: true })).toBe(2 * one);
  });
});
