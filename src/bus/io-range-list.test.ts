import { describe, expect, it } from 'vitest';
import { IoRangeList } from './io-range-list.ts';
import type { ServedRange } from './served-range.ts';
import { IoRangeTags } from './io-range-tags.ts';
import type { IoHandler } from './io-space.ts';

const handler: IoHandler = { read: () => 0, write: () => undefined };

function space() {
  const served = new Map<number, number>();
  const tags = new IoRangeTags();
  let failure: Error | undefined;
  const list = new IoRangeList({
    name: 'MMIO',
    size: 0x1_0000,
    tags,
    backend: {
      add: (range: ServedRange) => {
        if (failure !== undefined && range.base === 0x9000) throw failure;
        served.set(range.base, range.tag);
        return range.read === 'shadow' ? new Uint8Array(range.size) : undefined;
      },
      remove: (range: ServedRange) => served.delete(range.base),
    },
  });
  const add = (name: string, base: number, size: number, read: 'sync' | 'shadow' = 'sync') =>
    list.add({ name, base, size, handler, read });
  return { list, served, tags, add, fail: (error: Error) => (failure = error) };
}

describe('a list of ranges', () => {
  it('finds the range that holds the whole access', () => {
    const { list, add } = space();
    add('b', 0x200, 0x10);
    add('a', 0x100, 0x100);
    expect(list.find(0x1fc, 4)?.name).toBe('a');
    expect(list.find(0x1fe, 4)).toBeUndefined();
    expect(list.find(0x200, 1)?.name).toBe('b');
    expect(list.find(0x210, 1)).toBeUndefined();
    expect(list.find(0xff, 1)).toBeUndefined();
    expect(list.ranges().map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('refuses what overlaps, naming both', () => {
    const { list, add } = space();
    add('a', 0x100, 0x100);
    for (const [base, size] of [
      [0x100, 0x100],
      [0x1ff, 1],
      [0xff, 2],
      [0x80, 0x200],
    ] as const) {
      expect(list.isFree(base, size)).toBe(false);
      expect(() => add('b', base, size)).toThrow(/MMIO range b at .* overlaps a at 0x100 to 0x1ff/);
    }
    expect(list.isFree(0x200, 1)).toBe(true);
    expect(list.isFree(0, 0x100)).toBe(true);
  });

  it('refuses what leaves the space', () => {
    const { list, add } = space();
    for (const [base, size] of [
      [0xffff, 2],
      [-1, 4],
      [0, 0],
      [0.5, 1],
      [2 ** 60, 1],
      [Number.NaN, 1],
    ] as const) {
      expect(list.isFree(base, size)).toBe(false);
      expect(() => add('x', base, size)).toThrow('the space ends at 0x10000');
    }
    expect(list.isFree(0xffff, 1)).toBe(true);
  });

  it('moves a range, even onto a part of where it was, with its tag and its shadow', () => {
    const { list, served, add } = space();
    const range = add('a', 0x100, 0x100, 'shadow');
    range.shadow?.set([7], 3);
    const tag = served.get(0x100);
    range.move(0x180);
    expect([...served]).toEqual([[0x180, tag]]);
    expect(range.shadow?.[3]).toBe(7);
    expect(list.find(0x100, 1)).toBeUndefined();
    expect(list.find(0x180, 1)?.name).toBe('a');
  });

  it('leaves a range where it was when it cannot move', () => {
    const { list, served, add, fail } = space();
    const range = add('a', 0x100, 0x100, 'shadow');
    range.shadow?.set([7], 3);
    add('b', 0x200, 0x100);
    expect(() => range.move(0x1ff)).toThrow('overlaps b');
    fail(new Error('no room in the kernel'));
    expect(() => range.move(0x9000)).toThrow('no room in the kernel');
    expect(list.ranges().map(({ base }) => base)).toEqual([0x100, 0x200]);
    expect([...served.keys()].sort()).toEqual([0x100, 0x200]);
    expect(range.shadow?.[3]).toBe(7);
  });

  it('forgets a range that is removed, once', () => {
    const { list, served, tags, add } = space();
    const range = add('a', 0x100, 0x100);
    const tag = served.get(0x100) ?? -1;
    expect(tags.get(tag)?.name).toBe('a');
    range.remove();
    add('b', 0x100, 0x100);
    range.remove();
    range.move(0x300);
    expect(list.ranges().map(({ name }) => name)).toEqual(['b']);
    expect(tags.get(tag)).toBeUndefined();
  });

  it('keeps nothing of a range whose backend fails', () => {
    const { list, tags, add, fail } = space();
    fail(new Error('no room in the kernel'));
    expect(() => add('a', 0x9000, 1)).toThrow('no room in the kernel');
    expect(list.ranges()).toEqual([]);
    expect(tags.get(0)).toBeUndefined();
  });

  it('gives a released tag out only after all others, and never one in use', () => {
    const tags = new IoRangeTags(0xffff_fffd);
    const range = {} as ServedRange;
    expect(tags.take(range)).toBe(0xffff_fffd);
    expect(tags.take(range)).toBe(0xffff_fffe);
    tags.release(0xffff_fffe);
    expect(tags.take(range)).toBe(0);
    expect(new Set([tags.take(range), tags.take(range)])).toEqual(new Set([1, 2]));
  });
});
