import { describe, expect, it, vi } from 'vitest';
import { MemoryHolds } from './memory-holds.ts';

const memory = () => ({ idle: vi.fn(() => Promise.resolve()), onRelease: vi.fn() });

describe('holds', () => {
  it('name the oldest reason, and tell memory once the last is gone', () => {
    const holds = new MemoryHolds();
    const held = memory();
    holds.add(held);
    expect(holds.reason).toBeUndefined();
    const [first, second] = [holds.take('a'), holds.take('b')];
    expect(holds.reason).toBe('a');
    first();
    first();
    expect(holds.reason).toBe('b');
    expect(held.onRelease).not.toHaveBeenCalled();
    second();
    expect(holds.reason).toBeUndefined();
    expect(held.onRelease).toHaveBeenCalledTimes(1);
    second();
    expect(held.onRelease).toHaveBeenCalledTimes(1);
  });

  it('let work begin once memory is idle, and nothing else begin before', async () => {
    const holds = new MemoryHolds();
    let done: () => void = () => undefined;
    const idle = new Promise<void>((resolve) => {
      done = resolve;
    });
    holds.add({ ...memory(), idle: () => idle });
    const work = vi.fn(() => Promise.resolve(7));
    const result = holds.during('a dump', work);
    expect(holds.reason).toBe('a dump');
    await Promise.resolve();
    expect(work).not.toHaveBeenCalled();
    done();
    expect(await result).toBe(7);
    expect(holds.reason).toBeUndefined();
  });

  it('end with work that fails', async () => {
    const holds = new MemoryHolds();
    const failing = holds.during('a dump', () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(holds.reason).toBeUndefined();
  });
});
