import { describe, expect, it } from 'vitest';
import { openAnonymous } from '../../memory/backing/anonymous.ts';
import { plainSpec } from '../../memory/backing/spec.ts';
import { CountedMappings } from '../../memory/testing/counted-mappings.ts';
import { MemslotContainer } from '../../memory/memslot-container.ts';
import { MemslotTable } from '../../memory/memslot-table.ts';
import { GIB, MIB } from '../../units.ts';
import { PluggedMemory } from './plugged-memory.ts';
import { SlotRecorder } from './testing/device-rig.ts';

const BLOCK = 128 * MIB;
const WINDOWS = 64;
const PER_WINDOW = GIB / BLOCK;
/** Half a window more, so that the last one is shorter. */
const BLOCKS = WINDOWS * PER_WINDOW + PER_WINDOW / 2;
const GPA = 4 * GIB;

function rig() {
  const slots = new SlotRecorder();
  const backing = openAnonymous(plainSpec('mem0', BLOCKS * BLOCK), 'none');
  const container = new MemslotContainer({
    table: new MemslotTable(slots, 1000),
    backing,
    gpa: GPA,
    windowSize: GIB,
    owner: 'vm0',
    mayShare: true,
  });
  const memory = new PluggedMemory({
    id: 'vm0',
    gpa: GPA,
    blockSize: BLOCK,
    backing,
    container,
    dynamicMemslots: true,
    prealloc: false,
    protectWith: new CountedMappings(1000),
  });
  return { slots, backing, container, memory };
}

/** Slots as [first block, blocks], in order; they must not overlap. */
function runs(slots: SlotRecorder): readonly (readonly [first: number, count: number])[] {
  const sorted = [...slots.slots.values()].sort((a, b) => a.gpa - b.gpa);
  return sorted.map(({ gpa, size }, at) => {
    const next = sorted[at + 1];
    if (next !== undefined) expect(gpa + size).toBeLessThanOrEqual(next.gpa);
    return [(gpa - GPA) / BLOCK, size / BLOCK] as const;
  });
}

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

describe('memslots of several windows', () => {
  it('are few when much is plugged, and cover no more than that by a quarter', async () => {
    const { slots, backing, memory } = rig();
    for (let block = 0; block < BLOCKS; block++) {
      await memory.plug(block, 1);
      const covered = runs(slots).reduce((sum, [, count]) => sum + count, 0);
      expect(covered).toBeLessThanOrEqual(Math.max(1.25 * (block + 1), block + PER_WINDOW));
    }
    expect(runs(slots).map(([, count]) => count / PER_WINDOW)).toEqual([
      ...[1, 1, 1, 1, 1, 1, 1, 1],
      ...[2, 2, 2, 2],
      ...[4, 4, 4, 4],
      ...[8, 8, 8, 8],
      0.5,
    ]);
    backing.close();
  });

  it('are there exactly while something in them is plugged, over thousands of random steps', async () => {
    const { slots, backing, container, memory } = rig();
    const next = random(11);
    for (let step = 0; step < 3000; step++) {
      const first = next(BLOCKS);
      const count = Math.min(BLOCKS - first, 1 + next(step % 7 === 0 ? 100 : 12));
      if (memory.map.isAllUnplugged(first, count)) await memory.plug(first, count);
      else if (memory.map.isAllPlugged(first, count)) await memory.unplug(first, count);
      else await memory.unplug(memory.map.nextPlugged(first, BLOCKS), 1);
      if (step % 500 === 499) await memory.unplugAll();
      const there = runs(slots);
      for (const [from, length] of there)
        expect(memory.map.isAllUnplugged(from, length)).toBe(false);
      memory.map.forEachPlugged(0, BLOCKS, (from, length) => {
        const inside = there.filter(
          ([start, size]) => start < from + length && from < start + size,
        );
        const begin = inside[0]?.[0] ?? BLOCKS;
        const end = inside.reduce((at, [start, size]) => (start <= at ? start + size : at), begin);
        expect(begin <= from && end >= from + length).toBe(true);
      });
      expect(container.activeCount).toBe(
        there.reduce((sum, [, size]) => sum + Math.ceil(size / PER_WINDOW), 0),
      );
    }
    backing.close();
  });

  it('are single ones where KVM refuses larger', async () => {
    const { slots, backing, memory } = rig();
    await memory.plug(0, 32 * PER_WINDOW);
    const setMemslot = slots.setMemslot.bind(slots);
    slots.setMemslot = (memslot) => {
      if (memslot.size > GIB) throw new Error('ENOMEM');
      setMemslot(memslot);
    };
    const before = runs(slots).length;
    await memory.plug(40 * PER_WINDOW, 1);
    expect(runs(slots).slice(before)).toEqual([[40 * PER_WINDOW, PER_WINDOW]]);
    backing.close();
  });
});
