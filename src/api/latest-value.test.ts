import { describe, expect, it } from 'vitest';
import { LatestValue } from './latest-value.ts';

describe('LatestValue', () => {
  it('gives what there is, and then waits for the next', async () => {
    const value = new LatestValue<string>();
    value.set('a');
    value.set('b');
    expect(await value.after(0)).toEqual({ value: 'b', version: 2 });
    const next = value.after(2);
    value.set('c');
    expect(await next).toEqual({ value: 'c', version: 3 });
  });

  it('gives everybody who waits the same', async () => {
    const value = new LatestValue<number>();
    const waiting = [value.after(0), value.after(0)];
    value.set(0);
    expect(await Promise.all(waiting)).toEqual([
      { value: 0, version: 1 },
      { value: 0, version: 1 },
    ]);
  });

  it('gives the last value to who has not seen it, and then none', async () => {
    const value = new LatestValue<string>();
    value.set('last');
    const seen = value.after(1);
    value.end();
    expect(await seen).toBeUndefined();
    expect(await value.after(0)).toEqual({ value: 'last', version: 1 });
    expect(await value.after(1)).toBeUndefined();
  });

  it('ends without any', async () => {
    const value = new LatestValue<string>();
    value.end();
    expect(await value.after(0)).toBeUndefined();
  });
});
