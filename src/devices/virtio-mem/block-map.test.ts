import { describe, expect, it } from 'vitest';
import { BlockMap } from './block-map.ts';

describe('BlockMap', () => {
  it('agrees with a plain array over thousands of random steps', () => {
    const size = 203;
    const map = new BlockMap(size);
    const model = new Array<boolean>(size).fill(false);
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    for (let step = 0; step < 5000; step++) {
      const first = random(size);
      const count = 1 + random(size - first);
      const slice = model.slice(first, first + count);
      expect(map.isAllPlugged(first, count)).toBe(slice.every((it) => it));
      expect(map.isAllUnplugged(first, count)).toBe(!slice.some((it) => it));
      if (!slice.some((it) => it)) {
        expect(map.lastPlugged(first, first + count)).toBe(first - 1);
        map.plug(first, count);
        model.fill(true, first, first + count);
      } else if (slice.every((it) => it)) {
        map.unplug(first, count);
        model.fill(false, first, first + count);
      } else {
        const next = slice.indexOf(true);
        expect(map.nextPlugged(first, first + count)).toBe(first + next);
        expect(map.lastPlugged(first, first + count)).toBe(first + slice.lastIndexOf(true));
        const at = first + next;
        map.unplug(at, 1);
        model[at] = false;
      }
      expect(map.plugged).toBe(model.filter((it) => it).length);
    }
  });

  it('visits maximal runs across word borders', () => {
    const map = new BlockMap(200);
    map.plug(30, 70);
    map.plug(128, 1);
    const runs: [number, number][] = [];
    map.forEachPlugged(0, 200, (first, count) => runs.push([first, count]));
    expect(runs).toEqual([
      [30, 70],
      [128, 1],
    ]);
    const holes: [number, number][] = [];
    map.forEachUnplugged(40, 140, (first, count) => holes.push([first, count]));
    expect(holes).toEqual([
      [100, 28],
      [129, 11],
    ]);
  });
});
