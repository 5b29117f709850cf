import { expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { BusyLog } from './busy-log.ts';

setLogLevel('silent');

it('answers of BUSY are told once a second, whatever the guest does', () => {
  let now = 0;
  const log = new BusyLog('vm0', () => now);
  const told: number[] = [];
  for (; now < 3_000; now += 10) if (log.busy('plug', 'no memory')) told.push(now);
  expect(told).toEqual([0, 1_000, 2_000]);
});
