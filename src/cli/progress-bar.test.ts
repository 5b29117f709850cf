import { expect, it } from 'vitest';
import type { MemoryDeviceState } from '../api/memory-host.ts';
import { GIB, MIB } from '../units.ts';
import { progressLine, stallLine } from './progress-bar.ts';

const state = (size: number, requestedSize: number): MemoryDeviceState => ({
  ...{ id: 'vm0', size, requestedSize, maxSize: 8 * GIB, blockSize: 2 * MIB },
  ...{ memaddr: 4 * GIB, node: 0, convergence: 'under-way', cause: '' },
});
const line = (from: number, size: number, requestedSize: number): string =>
  progressLine(from, state(size, requestedSize));
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

it('says that the guest has stopped, and that it goes on', () => {
  const stalled = { ...state(GIB, 2 * GIB), convergence: 'busy', cause: 'no memory' } as const;
  expect(progressLine(0, stalled)).toBe(`vm0 ${bar(16)} 1 GiB of 2 GiB, stalled: no memory`);
  expect(stallLine(stalled)).toBe('vm0: stalled at 1 GiB of 2 GiB, still waiting: no memory');
  expect(stallLine(state(GIB, 2 * GIB))).toBe('vm0: goes on, at 1 GiB of 2 GiB');
});
