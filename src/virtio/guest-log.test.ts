import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GuestLog } from './guest-log.ts';

describe('what guests do wrong', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is logged once a second, with the number of lines left out', () => {
    const lines: [object, string][] = [];
    const log = new GuestLog({ warn: (fields, message) => void lines.push([fields, message]) });
    log.warn({ device: 'a' }, 'one');
    log.warn({ device: 'a' }, 'two');
    vi.advanceTimersByTime(999);
    log.warn({ device: 'a' }, 'three');
    vi.advanceTimersByTime(5000);
    log.warn({ device: 'a' }, 'four');
    expect(lines).toEqual([
      [{ device: 'a' }, 'one'],
      [{ device: 'a', suppressed: 1 }, 'three'],
      [{ device: 'a' }, 'four'],
    ]);
  });
});
