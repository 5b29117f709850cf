import { expect, it } from 'vitest';
import type { MemoryDeviceState } from '../api/memory-host.ts';
import { GIB, MIB } from '../units.ts';
import { progressLine } from './progress-bar.ts';

const line = (from: number, size: number, requestedSize: number): string => {
  const state: MemoryDeviceState = {
    ...{ id: 'vm0', size, requestedSize, maxSize: 8 * GIB, blockSize: 2 * MIB },
    ...{ memaddr: 4 * GIB, node: 0, convergence: 'under-way', cause: '' },
  };
  return progressLine(from, state);
};
const bar = (done: number): string => `[${'#'.repeat(done)}${'.'.repeat(32 - done)}]`;

it.each([
  [0, 0, 2 * GIB, `vm0 ${bar(0)} 0 B of 2 GiB`],
  [0, 3 * MIB, 2 * GIB, `vm0 ${bar(0)} 3 MiB of 2 GiB`],
  [0, 1.5 * GIB, 2 * GIB, `vm0 ${bar(24)} 1.5 GiB of 2 GiB`],
  [GIB, 1.5 * GIB, 2 * GIB, `vm0 ${bar(16)} 1.5 GiB of 2 GiB`],
  [0, 2 * GIB, 2 * GIB, `vm0 ${bar(32)} 2 GiB of 2 GiB`],
  [2 * GIB, 2 * GIB, 2 * GIB, `vm0 ${bar(32)} 2 GiB of 2 GiB`],
  // Shrinking, and having gone the wrong way meanwhile.
  [2 * GIB, GIB, 0, `vm0 ${bar(16)} 1 GiB -> 0 B`],
  [2 * GIB, 3 * GIB, GIB, `vm0 ${bar(0)} 3 GiB -> 1 GiB`],
])('from %d at %d of %d', (from, size, requested, text) => {
  expect(line(from, size, requested)).toBe(text);
});
