import { expect, it } from 'vitest';
import { ResetLog } from './resets.ts';

it('counts resets by their kind', () => {
  const resets = new ResetLog();
  expect(resets.counts).toEqual([]);
  expect(resets.add({ kind: 'triple-fault', cause: 'triple fault' })).toBe(1);
  expect(resets.add({ kind: 'reboot', cause: 'port 0xcf9' })).toBe(1);
  expect(resets.add({ kind: 'triple-fault', cause: 'triple fault' })).toBe(2);
  expect(resets.counts).toEqual([
    { kind: 'reboot', count: 1 },
    { kind: 'triple-fault', count: 2 },
  ]);
});
