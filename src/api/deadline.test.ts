import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../errors.ts';
import { checkTimeout, Deadline } from './deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('a deadline', () => {
  it.each([1, 60_000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, 1e11])('of %d ms is kept', (ms) => {
    let over = 0;
    new Deadline(ms, () => (over += 1));
    vi.advanceTimersByTime(ms - 1);
    expect(over).toBe(0);
    vi.advanceTimersByTime(2);
    expect(over).toBe(1);
    vi.advanceTimersByTime(1e10);
    expect(over).toBe(1);
  });

  it('of Infinity needs no timer', () => {
    new Deadline(Number.POSITIVE_INFINITY, () => expect.fail('it is over'));
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([1000, 2 ** 40])('of %d ms that is cleared says nothing', (ms) => {
    const deadline = new Deadline(ms, () => expect.fail('it is over'));
    vi.advanceTimersByTime(ms - 1);
    deadline.clear();
    deadline.clear();
    vi.advanceTimersByTime(1e10);
  });
});

it('is no time that is not a number from 0 on', () => {
  for (const good of [undefined, 0, 0.5, 2 ** 53, Number.POSITIVE_INFINITY]) {
    checkTimeout('timeoutMs', good);
  }
  const bad = [Number.NaN, -1, Number.NEGATIVE_INFINITY, '5', null, 5n, {}, true];
  for (const value of bad) {
    expect(() => checkTimeout('timeoutMs', value)).toThrow(ConfigError);
  }
  expect(() => checkTimeout('timeoutMs', Number.NaN)).toThrow(
    'timeoutMs=NaN: must be milliseconds, 0 or more',
  );
});
