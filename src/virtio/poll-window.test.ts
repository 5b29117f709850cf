import { describe, expect, it } from 'vitest';
import { PollWindow, POLLING } from './poll-window.ts';

describe('the polling window', () => {
  it('is nothing until a request follows another closely', () => {
    const window = new PollWindow();
    window.woken(Number.POSITIVE_INFINITY);
    window.woken(POLLING.capMs * 2);
    expect(window.ms).toBe(0);
    window.woken(POLLING.capMs);
    expect(window.ms).toBe(POLLING.firstMs);
  });

  it('grows to its cap while kicks come soon after the last request', () => {
    const window = new PollWindow();
    for (let count = 0; count < 10; count++) window.woken(POLLING.capMs / 2);
    expect(window.ms).toBe(POLLING.capMs);
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
    for (let count = 0; count < 10; count++) window.woken(0);
    const sizes = Array.from({ length: 6 }, () => {
      window.woken(100);
      return window.ms;
    });
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(sizes.at(-1)).toBe(0);
  });
});
