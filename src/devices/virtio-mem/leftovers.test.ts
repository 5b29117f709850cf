import { expect, it } from 'vitest';
import { Leftovers } from './leftovers.ts';

it('are few, and joined with what else is to be cleaned', () => {
  const leftovers = new Leftovers(100);
  const runs = [
    [3, 2],
    [50, 10],
  ] as const;
  expect(leftovers.any).toBe(false);
  expect(leftovers.touches(0, 100)).toBe(false);
  expect(leftovers.join(runs)).toBe(runs);
  leftovers.add(5, 3);
  leftovers.add(7, 1);
  leftovers.add(55, 20);
  expect(leftovers.touches(0, 5)).toBe(false);
  expect(leftovers.touches(0, 6)).toBe(true);
  expect(leftovers.touches(8, 47)).toBe(false);
  expect(leftovers.join(runs)).toEqual([
    [3, 5],
    [50, 25],
  ]);
  expect(leftovers.join([])).toEqual([
    [5, 3],
    [55, 20],
  ]);
  leftovers.clear();
  expect(leftovers.any).toBe(false);
  expect(leftovers.join([])).toEqual([]);
});
