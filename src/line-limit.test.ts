import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineLimit } from './line-limit.ts';

/** Lines as they come, `n` the number of those before. */
function trial(linesPerSecond: number) {
  const lines: object[] = [];
  const limit = new LineLimit(linesPerSecond, (fields, message) =>
    lines.push({ ...fields, message }),
  );
  let n = 0;
  const put = (count: number): void => {
    for (let i = 0; i < count; i++) limit.put({ n: n++ }, 'line');
  };
  return { lines, put, limit };
}

describe('a limit of lines', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('lets some a second through, and tells how many it did not', () => {
    const { lines, put } = trial(2);
    put(5);
    expect(lines).toEqual([
      { n: 0, message: 'line' },
      { n: 1, message: 'line' },
    ]);
    vi.advanceTimersByTime(999);
    put(1);
    expect(lines).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(lines.slice(2)).toEqual([{ n: 5, suppressed: 3, message: 'line' }]);
    put(1);
    expect(lines.slice(3)).toEqual([{ n: 6, message: 'line' }]);
  });

  it('writes the last of a burst when its second is over, and is then at rest', () => {
    const { lines, put } = trial(1);
    put(3);
    vi.advanceTimersByTime(1000);
    expect(lines).toEqual([
      { n: 0, message: 'line' },
      { n: 2, suppressed: 1, message: 'line' },
    ]);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10_000);
    put(1);
    expect(lines.slice(2)).toEqual([{ n: 3, message: 'line' }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('counts every line once, however they come', () => {
    const { lines, put } = trial(3);
    for (const [count, pause] of [
      [1, 10],
      [7, 400],
      [5, 1500],
      [100, 900],
      [2, 200],
      [4, 5000],
    ] as const) {
      put(count);
      vi.advanceTimersByTime(pause);
    }
    const suppressed = lines.map((line) => ('suppressed' in line ? Number(line.suppressed) : 0));
    expect(lines.length + suppressed.reduce((sum, it) => sum + it, 0)).toBe(119);
    expect(lines.at(-1)).toMatchObject({ n: 118 });
  });

  it('writes what it keeps when it is told to', () => {
    const { lines, put, limit } = trial(1);
    limit.flush();
    put(2);
    limit.flush();
    limit.flush();
    expect(lines).toEqual([
      { n: 0, message: 'line' },
      { n: 1, message: 'line' },
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('writes what is kept when the process ends', () => {
  const before = new Set(process.listeners('exit'));
  const first = trial(1);
  const second = trial(1);
  first.put(4);
  second.put(2);
  const ours = process.listeners('exit').filter((it) => !before.has(it));
  expect(ours.length).toBeLessThanOrEqual(1);
  for (const listener of process.listeners('exit')) if (listener.name === 'endAll') listener(0);
  expect(first.lines.at(-1)).toEqual({ n: 3, suppressed: 2, message: 'line' });
  expect(second.lines.at(-1)).toEqual({ n: 1, message: 'line' });
});
