import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Nudge } from './nudge.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Nudge', () => {
  it('sends one after a while however often the answer was BUSY', () => {
    const send = vi.fn();
    const nudge = new Nudge(send);
    nudge.wasBusy();
    nudge.wasBusy();
    vi.advanceTimersByTime(1_999);
    expect(send).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(send).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(600_000);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it('backs off to a minute, and starts over when a request goes through', () => {
    const send = vi.fn();
    const nudge = new Nudge(send);
    for (const wait of [2, 4, 8, 16, 32, 60, 60]) {
      const before = nudge.sent;
      nudge.wasBusy();
      vi.advanceTimersByTime(wait * 1_000 - 1);
      expect(nudge.sent).toBe(before);
      vi.advanceTimersByTime(1);
      expect(nudge.sent).toBe(before + 1);
    }
    nudge.cancel();
    nudge.wasBusy();
    vi.advanceTimersByTime(2_000);
    expect(nudge.sent).toBe(8);
  });

  it('comes at once when the cause is gone, and not again for what it was about', () => {
    const send = vi.fn();
    const nudge = new Nudge(send);
    nudge.wasBusy();
    nudge.now();
    expect(send).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(600_000);
    expect(nudge.sent).toBe(1);
  });

  it('sends nothing once cancelled', () => {
    const send = vi.fn();
    const nudge = new Nudge(send);
    nudge.wasBusy();
    nudge.cancel();
    vi.advanceTimersByTime(600_000);
    expect(send).not.toHaveBeenCalled();
  });
});
