import { describe, expect, it } from 'vitest';
import { PollWindow, POLLING } from './poll-window.ts';

describe('the polling window', () => {
  it('is nothing until a request follows another closely, then long enough for the next', () => {
    const window = new PollWindow();
    window.woken(Number.POSITIVE_INFINITY);
    window.woken(POLLING.capMs * 2);
    expect(window.ms).toBe(0);
    window.woken(POLLING.capMs / 2);
    expect(window.ms).toBe(0.75 * POLLING.capMs);
  });

  it('is never longer than its cap', () => {
    const window = new PollWindow();
    window.woken(POLLING.capMs);
    expect(window.ms).toBe(POLLING.capMs);
    window.hit(POLLING.capMs);
    expect(window.ms).toBe(POLLING.capMs);
  });

  it('is given up when kicks come soon after windows that passed in vain', () => {
    const window = new PollWindow();
    window.woken(0.03);
    let lost = 0;
    while (lost <= POLLING.lossMs) {
      expect(window.ms).toBeGreaterThan(0);
      lost += window.ms;
      window.woken(window.ms + 0.03);
    }
    expect(window.ms).toBe(0);
  });

  it('is tried again after more and more kicks', () => {
    const window = new PollWindow();
    const kicksToOpen = (): number => {
      let kicks = 0;
      for (; window.ms === 0; kicks++) window.woken(0.03);
      while (window.ms > 0) window.woken(window.ms + 0.03);
      return kicks;
    };
    kicksToOpen();
    const waits = Array.from({ length: 12 }, kicksToOpen);
    expect(waits.slice(0, 3)).toEqual([1, 2, 4].map((factor) => factor * POLLING.retryKicks + 1));
    expect(waits.at(-1)).toBe(POLLING.retryKicksCap + 1);
  });

  it('stays open when one of many is in vain', () => {
    const window = new PollWindow();
    window.woken(0);
    for (let count = 0; count < 10; count++) {
      window.hit(POLLING.firstMs / 4);
      window.woken(window.ms + 0.03);
    }
    expect(window.ms).toBeGreaterThan(0);
  });

  it('grows when a request comes late in it, and stays when they come early', () => {
    const window = new PollWindow();
    window.woken(0);
    window.hit(POLLING.firstMs / 4);
    expect(window.ms).toBe(POLLING.firstMs);
    window.hit(POLLING.firstMs * 0.9);
    expect(window.ms).toBe(2 * POLLING.firstMs);
  });

  it('shrinks to nothing when requests come far apart', () => {
    const window = new PollWindow();
    window.woken(POLLING.capMs);
    const sizes = Array.from({ length: 6 }, () => {
      window.woken(100);
      return window.ms;
    });
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(sizes.at(-1)).toBe(0);
  });
});
