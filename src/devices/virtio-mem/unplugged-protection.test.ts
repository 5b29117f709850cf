import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Backing } from '../../memory/backing.ts';
import { CountedMappings } from '../../memory/testing/counted-mappings.ts';
import { MIB, TIB } from '../../units.ts';
import { BlockMap } from './block-map.ts';
import { FailingBacking } from './testing/device-rig.ts';
import { UnpluggedProtection } from './unplugged-protection.ts';

const BLOCK = 2 * MIB;

/** A mapping of which only the protection exists, with a kernel's limit of ranges. */
class FakeMapping {
  readonly open: boolean[];
  limit = Number.POSITIVE_INFINITY;
  calls = 0;
  /** What a call takes, and the time so far. */
  callMs = 0;
  clockMs = 0;

  constructor(blocks: number) {
    this.open = new Array<boolean>(blocks).fill(true);
  }

  get ranges(): number {
    return 1 + this.open.filter((it, index) => index > 0 && it !== this.open[index - 1]).length;
  }

  protect(offset: number, length: number, access: string): void {
    this.calls += 1;
    this.clockMs += this.callMs;
    const before = [...this.open];
    this.open.fill(access !== 'none', offset / BLOCK, (offset + length) / BLOCK);
    if (this.ranges <= this.limit) return;
    // As mprotect, which has split off what it could when it gives up.
    for (const [index, open] of before.entries()) {
      if (index > offset / BLOCK) this.open[index] = open;
    }
    throw Object.assign(new Error('mprotect: out of memory'), { code: 'ENOMEM' });
  }
}

function rig(blocks: number, mappings: number) {
  const mapping = new FakeMapping(blocks);
  const backing = {
    size: blocks * BLOCK,
    sharedZeropage: false,
    mapping: mapping as unknown as Backing['mapping'],
  } as Backing;
  const plugged = new BlockMap(blocks);
  const budget = new CountedMappings(mappings);
  const clock = (): number => mapping.clockMs;
  const options = { id: 'vm0', blockSize: BLOCK, backing, plugged, budget, clock };
  const protection = new UnpluggedProtection(options);
  const plug = (first: number, count: number): void => {
    protection.lift(first, count);
    plugged.plug(first, count);
  };
  const unplug = async (first: number, count: number): Promise<void> => {
    plugged.unplug(first, count);
    await protection.protect(first, count);
  };
  return { mapping, plugged, budget, protection, plug, unplug };
}

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

const pluggedList = (map: BlockMap): boolean[] =>
  Array.from({ length: map.blockCount }, (_, block) => map.isAllPlugged(block, 1));

describe('with mappings to spare', () => {
  it('exactly what is plugged is accessible, over thousands of random steps', async () => {
    const { mapping, plugged, budget, protection, plug, unplug } = rig(97, 1000);
    expect(mapping.open).not.toContain(true);
    const next = random(3);
    for (let step = 0; step < 3000; step++) {
      const first = next(97);
      const count = 1 + next(97 - first);
      if (plugged.isAllUnplugged(first, count)) plug(first, count);
      else if (plugged.isAllPlugged(first, count)) await unplug(first, count);
      else await unplug(plugged.nextPlugged(first, 97), 1);
      expect(mapping.open).toEqual(pluggedList(plugged));
      expect(budget.left).toBe(1000 - (mapping.ranges - 1));
      expect(protection.unprotected).toBe(0);
    }
  });

  it('takes one call for a range, and steps for one that would hold others up', async () => {
    const { mapping, protection, plug, unplug } = rig(1000, 100);
    mapping.callMs = 1;
    const before = mapping.calls;
    plug(0, 1000);
    expect(mapping.calls).toBe(before + 1);
    let turns = 0;
    let done = false;
    const turn = (): void => {
      turns += 1;
      if (!done) setImmediate(turn);
    };
    turn();
    await unplug(0, 1000);
    done = true;
    expect(mapping.calls).toBeGreaterThan(before + 10);
    expect(turns).toBeGreaterThan(10);
    expect(mapping.open).not.toContain(true);
    expect(protection.unprotected).toBe(0);
  });

  it('takes few calls for a large range that costs nothing, and passes over what is closed', async () => {
    const { mapping, plug, unplug } = rig(4000, 100);
    plug(0, 4000);
    const before = mapping.calls;
    await unplug(0, 4000);
    expect(mapping.calls - before).toBeLessThan(40);
    plug(0, 20);
    plug(3980, 20);
    const sparse = mapping.calls;
    await unplug(0, 20);
    await unplug(3980, 20);
    expect(mapping.calls - sparse).toBe(4);
    expect(mapping.open).not.toContain(true);
  });
});

describe.each(['the budget', 'the kernel'])('when %s is exhausted', (what) => {
  const limited = (blocks: number, spare: number) => {
    const it = rig(blocks, what === 'the budget' ? spare : 1000);
    if (what === 'the kernel') it.mapping.limit = 1 + spare;
    return it;
  };

  it('plugged memory is usable, and the rest counted, over thousands of random steps', async () => {
    const { mapping, plugged, protection, plug, unplug } = limited(97, 6);
    const next = random(5);
    let most = 0;
    for (let step = 0; step < 3000; step++) {
      const first = next(97);
      const count = 1 + next(Math.min(6, 97 - first));
      if (plugged.isAllUnplugged(first, count)) plug(first, count);
      else if (plugged.isAllPlugged(first, count)) await unplug(first, count);
      else await unplug(plugged.nextPlugged(first, 97), 1);
      expect(pluggedList(plugged).every((it, block) => !it || mapping.open[block] === true)).toBe(
        true,
      );
      const accessible = mapping.open.filter((it) => it).length;
      expect(accessible - plugged.plugged).toBeLessThanOrEqual(protection.unprotected);
      expect(mapping.ranges).toBeLessThanOrEqual(7);
      most = Math.max(most, protection.unprotected);
    }
    expect(most).toBeGreaterThan(0);
  });

  it('protects what it could not as soon as there is room again', async () => {
    const { mapping, protection, plug, unplug } = limited(16, 4);
    for (const block of [1, 5, 9, 13]) plug(block, 1);
    expect(protection.unprotected).toBeGreaterThan(0);
    for (const block of [1, 5, 9, 13]) await unplug(block, 1);
    expect(protection.unprotected).toBe(0);
    expect(mapping.open).not.toContain(true);
  });
});

it('passes on what the kernel refuses for another reason', () => {
  const { mapping, protection } = rig(4, 10);
  const protect = mapping.protect.bind(mapping);
  mapping.protect = (offset, length, access) => {
    if (access === 'none') protect(offset, length, access);
    else throw Object.assign(new Error('mprotect: not permitted'), { code: 'EACCES' });
  };
  expect(() => protection.lift(0, 1)).toThrow('not permitted');
  expect(protection.unprotected).toBe(0);
});

describe('real memory', () => {
  const open: Backing[] = [];
  afterEach(() => {
    for (const backing of open.splice(0)) backing.close();
  });

  /** Ranges of this process's memory, and the pages of them that are there. */
  const ranges = (): number => readFileSync('/proc/self/maps', 'utf8').split('\n').length;

  function real(size: number) {
    const backing = new FailingBacking(size);
    open.push(backing);
    const plugged = new BlockMap(size / BLOCK);
    const budget = new CountedMappings(10_000);
    const options = { id: 'vm0', blockSize: BLOCK, backing, plugged, budget };
    return { backing, plugged, protection: new UnpluggedProtection(options) };
  }

  it('is inaccessible, and holds no page, from the start', async () => {
    const { backing } = real(TIB);
    const bytes = new Uint8Array(1);
    for (const offset of [0, TIB / 2, TIB - 1]) {
      expect(() => backing.mapping.read(offset, bytes)).toThrow('not readable');
    }
    expect(await backing.mapping.residentBytes(0, 64 * MIB)).toBe(0);
  });

  it('ranges that were apart and full become one again', () => {
    const { backing, protection } = real(512 * BLOCK);
    const whole = ranges();
    const byte = Uint8Array.of(1);
    const touch = (block: number): void => {
      protection.lift(block, 1);
      backing.mapping.write(block * BLOCK, byte);
    };
    for (let block = 0; block < 512; block += 2) touch(block);
    expect(ranges()).toBeGreaterThan(whole + 400);
    for (let block = 1; block < 512; block += 2) touch(block);
    // Node's own may have come and gone meanwhile.
    expect(ranges()).toBeLessThan(whole + 100);
  });
});
