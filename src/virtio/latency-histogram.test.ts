import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from './latency-histogram.ts';

const MS = 1e-6;

function recorded(...nanoseconds: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const ns of nanoseconds) histogram.record(ns * MS);
  return histogram;
}

describe('LatencyHistogram', () => {
  it('is empty at first', () => {
    expect(new LatencyHistogram().summary).toEqual({
      count: 0,
      medianNs: 0,
      p99Ns: 0,
      maxNs: 0,
    });
    expect(new LatencyHistogram().powersOfTwo).toEqual([]);
  });

  it('has a median and a maximum', () => {
    const { count, medianNs, maxNs } = recorded(900, 1000, 1100, 5000, 1_000_000).summary;
    expect(count).toBe(5);
    expect(medianNs).toBeGreaterThan(1100 / 1.125);
    expect(medianNs).toBeLessThan(1100 * 1.125);
    expect(maxNs).toBe(1_000_000);
  });

  it('tells the slowest of a hundred from the others', () => {
    const times = Array.from({ length: 98 }, () => 2000);
    const { medianNs, p99Ns } = recorded(...times, 900_000, 1_000_000).summary;
    expect(medianNs).toBeLessThan(2000 * 1.125);
    expect(p99Ns).toBeGreaterThan(900_000 / 1.125);
  });

  it('is within an eighth of what was recorded, whatever that was', () => {
    for (let ns = 8; ns < 2 ** 32; ns = Math.ceil(ns * 1.07)) {
      const { medianNs } = recorded(ns, ns).summary;
      expect(Math.abs(medianNs / ns - 1), `${ns} ns`).toBeLessThanOrEqual(0.125);
    }
  });

  it.each([0, 0.4, 1, 2, 3])('takes %d ns', (ns) => {
    const { count, medianNs, maxNs } = recorded(ns).summary;
    expect({ count, maxNs }).toEqual({ count: 1, maxNs: Math.round(ns) });
    expect(medianNs).toBeLessThanOrEqual(maxNs);
  });

  it('takes hours, and a clock that went back', () => {
    const { count, maxNs } = recorded(3.6e12, -1).summary;
    expect({ count, maxNs }).toEqual({ count: 2, maxNs: 3.6e12 });
    expect(recorded(3.6e12).powersOfTwo).toHaveLength(33);
  });

  it('counts by powers of two', () => {
    expect(recorded(5, 7, 8, 15, 16, 1000).powersOfTwo).toEqual([0, 0, 0, 2, 2, 1, 0, 0, 0, 0, 1]);
  });
});
