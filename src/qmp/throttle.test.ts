import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Throttle } from './throttle.ts';

let emitted: string[];
let throttle: Throttle<string>;

beforeEach(() => {
  vi.useFakeTimers();
  emitted = [];
  throttle = new Throttle(1000, (value) => emitted.push(value));
});
afterEach(() => void vi.useRealTimers());

describe('Throttle', () => {
  it('lets the first value through at once and the latest of the others later', () => {
    for (const value of ['a1', 'a2', 'a3']) throttle.push('a', value);
    expect(emitted).toEqual(['a1']);
    vi.advanceTimersByTime(999);
    expect(emitted).toEqual(['a1']);
    vi.advanceTimersByTime(1);
    expect(emitted).toEqual(['a1', 'a3']);
  });

  it('keeps to the interval as long as values come', () => {
    for (let at = 0; at < 5000; at += 10) {
      throttle.push('a', String(at));
      vi.advanceTimersByTime(10);
    }
    expect(emitted).toEqual(['0', '990', '1990', '2990', '3990', '4990']);
  });

  it('lets a value through at once after a quiet interval', () => {
    throttle.push('a', 'a1');
    vi.advanceTimersByTime(1000);
    throttle.push('a', 'a2');
    expect(emitted).toEqual(['a1', 'a2']);
  });

  it('keeps keys apart', () => {
    throttle.push('a', 'a1');
    throttle.push('b', 'b1');
    throttle.push('a', 'a2');
    vi.advanceTimersByTime(1000);
    expect(emitted).toEqual(['a1', 'b1', 'a2']);
  });

  it('flush lets through what waits, once', () => {
    throttle.push('a', 'a1');
    throttle.push('a', 'a2');
    throttle.flush();
    vi.advanceTimersByTime(5000);
    expect(emitted).toEqual(['a1', 'a2']);
  });

  it('close forgets what waits and leaves no timer', () => {
    throttle.push('a', 'a1');
    throttle.push('a', 'a2');
    throttle.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(emitted).toEqual(['a1']);
  });

  it('without an interval lets everything through', () => {
    const all: string[] = [];
    const open = new Throttle<string>(0, (value) => all.push(value));
    for (const value of ['1', '2', '3']) open.push('a', value);
    expect(all).toEqual(['1', '2', '3']);
  });

  it('hurries what waits of one key, and keeps to the interval then', () => {
    for (const value of ['a1', 'a2']) throttle.push('a', value);
    for (const value of ['b1', 'b2']) throttle.push('b', value);
    throttle.hurry('a');
    throttle.hurry('a');
    throttle.hurry('c');
    expect(emitted).toEqual(['a1', 'b1', 'a2']);
    throttle.push('a', 'a3');
    expect(emitted).toHaveLength(3);
    vi.advanceTimersByTime(1000);
    expect(emitted).toEqual(['a1', 'b1', 'a2', 'a3', 'b2']);
  });
});
