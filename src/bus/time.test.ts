import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { PausableTime } from './time.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: 1_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

it('is the host time until it is held, stands, and goes on from there', () => {
  const time = new PausableTime();
  const [start, startEpoch] = [time.monotonicMs(), time.epochMs()];
  expect(startEpoch).toBe(Date.now());
  vi.advanceTimersByTime(500);
  expect([time.monotonicMs() - start, time.epochMs() - startEpoch]).toEqual([500, 500]);
  time.hold();
  vi.advanceTimersByTime(30_000);
  time.hold();
  expect([time.monotonicMs() - start, time.epochMs() - startEpoch]).toEqual([500, 500]);
  expect(time.isHeld).toBe(true);
  time.release();
  time.release();
  vi.advanceTimersByTime(7);
  expect([time.monotonicMs() - start, time.epochMs() - startEpoch]).toEqual([507, 507]);
  expect(time.isHeld).toBe(false);
});

it('adds up what several holds leave out, and follows a step of the host clock', () => {
  const time = new PausableTime();
  const [start, startEpoch] = [time.monotonicMs(), time.epochMs()];
  for (let pause = 0; pause < 3; pause++) {
    vi.advanceTimersByTime(10);
    time.hold();
    vi.advanceTimersByTime(1000);
    time.release();
  }
  expect(time.monotonicMs() - start).toBe(30);
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(time.monotonicMs() - start).toBe(30);
  expect(time.epochMs() - startEpoch).toBe(3_600_030);
});
