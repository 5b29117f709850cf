import { expect, it } from 'vitest';
import { LineLimit } from './line-limit.ts';

it('lets some lines a second through, and tells how many it did not', () => {
  let now = 0;
  const limit = new LineLimit(2, () => now);
  expect([limit.take(), limit.take(), limit.take()]).toEqual([0, 0, undefined]);
  now = 999;
  expect(limit.take()).toBeUndefined();
  now = 1000;
  expect([limit.take(), limit.take(), limit.take()]).toEqual([2, 0, undefined]);
  now = 9000;
  expect([limit.take(), limit.take(), limit.take()]).toEqual([1, 0, undefined]);
});
