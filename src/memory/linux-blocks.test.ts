import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../units.ts';
import { linuxBlockAlignment, linuxMemoryBlock } from './linux-blocks.ts';

describe('memory blocks of a Linux guest', () => {
  it.each([
    [512 * MIB, 128 * MIB],
    [62 * GIB, 128 * MIB],
    // Boot memory has a hole of a GiB: it ends at 64 GiB, 65, 66 GiB and 66 GiB + 128 MiB.
    [63 * GIB, 2 * GIB],
    [64 * GIB, GIB],
    [65 * GIB, 2 * GIB],
    [65 * GIB + 128 * MIB, 128 * MIB],
    [65 * GIB + 2 * MIB, 128 * MIB],
  ])('with %i bytes of boot memory have %i', (ram, block) => {
    expect(linuxMemoryBlock(ram)).toBe(block);
    expect(linuxBlockAlignment(ram) % block).toBe(0);
  });

  it('are not wider apart than they must be', () => {
    expect(linuxBlockAlignment(4 * GIB)).toBe(128 * MIB);
    expect(linuxBlockAlignment(64 * GIB)).toBe(2 * GIB);
  });
});
