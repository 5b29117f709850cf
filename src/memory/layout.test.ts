import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../units.ts';
import { deviceMemoryBase, layRam, ramRanges } from './layout.ts';

describe('the address map', () => {
  it('keeps up to 3 GiB below the hole and puts the rest at 4 GiB', () => {
    expect(ramRanges(512 * MIB)).toEqual([{ gpa: 0, size: 512 * MIB }]);
    expect(ramRanges(3 * GIB)).toEqual([{ gpa: 0, size: 3 * GIB }]);
    expect(ramRanges(4 * GIB)).toEqual([
      { gpa: 0, size: 3 * GIB },
      { gpa: 4 * GIB, size: GIB },
    ]);
  });

  it('lays parts of RAM one after the other, in two pieces around the hole', () => {
    expect(layRam([GIB, 0, 3 * GIB, 2 * GIB])).toEqual([
      { part: 0, offset: 0, gpa: 0, size: GIB },
      { part: 2, offset: 0, gpa: GIB, size: 2 * GIB },
      { part: 2, offset: 2 * GIB, gpa: 4 * GIB, size: GIB },
      { part: 3, offset: 0, gpa: 5 * GIB, size: 2 * GIB },
    ]);
    const whole = layRam([4 * GIB]).map(({ gpa, size }) => ({ gpa, size }));
    expect(whole).toEqual(ramRanges(4 * GIB));
  });

  it('starts device memory at the next GiB above RAM', () => {
    expect(deviceMemoryBase(256 * MIB)).toBe(4 * GIB);
    expect(deviceMemoryBase(4 * GIB)).toBe(0x1_4000_0000);
    expect(deviceMemoryBase(4 * GIB + 1)).toBe(6 * GIB);
  });
});
