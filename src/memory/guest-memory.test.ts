import { afterAll, describe, expect, it } from 'vitest';
import { MIB } from '../units.ts';
import { plainMemory } from './backing/anonymous.ts';
import type { DiscardManager } from './discard-manager.ts';
import { GuestMemory } from './guest-memory.ts';

const backings = ['first', 'second', 'third'].map((name) => plainMemory(name, 2 * MIB));
afterAll(() => {
  for (const backing of backings) backing.close();
});

/** Two pieces of RAM that touch, and device memory right behind, of which nothing is plugged. */
function memoryOfThree(): GuestMemory {
  const memory = new GuestMemory();
  const unplugged = { isPopulated: () => false, register: () => undefined };
  for (const [index, { mapping }] of backings.entries()) {
    const discards = index === 2 ? { discards: unplugged as unknown as DiscardManager } : {};
    const region = { name: 'ram', gpa: index * 2 * MIB, size: 2 * MIB, mapping, offset: 0 };
    memory.add({ ...region, ...discards });
  }
  return memory;
}

const BOUNDARY = 2 * MIB;

describe('where two regions of RAM meet', () => {
  it.each([8, 64, 4096])('%i bytes are written and read across', (length) => {
    const memory = memoryOfThree();
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff);
    const at = BOUNDARY - length / 4;
    expect(memory.write(at, bytes, length)).toBe(true);
    const read = new Uint8Array(length);
    expect(memory.read(at, read, length)).toBe(true);
    expect(read).toEqual(bytes);
    const second = new Uint8Array(4);
    memory.read(BOUNDARY, second, 4);
    expect(second).toEqual(bytes.subarray(length / 4, length / 4 + 4));
  });

  it('memory is usable and RAM, and has no view', () => {
    const memory = memoryOfThree();
    expect(memory.isUsable(BOUNDARY - 1, 2)).toBe(true);
    expect(memory.isRam(BOUNDARY - 1, 2)).toBe(true);
    expect(memory.view(BOUNDARY - 1, 2)).toBeUndefined();
    expect(memory.view(BOUNDARY - 2, 2)).toBeDefined();
  });
});

describe('a range that is not all memory', () => {
  it.each([
    ['into unplugged memory', 2 * BOUNDARY - 4, 8],
    ['over everything', 0, 4 * BOUNDARY],
    ['past the end', 3 * BOUNDARY - 4, 8],
    ['of a negative length', 0, -1],
    ['at no number', Number.NaN, 8],
    ['beyond 2^53', 2 ** 53, 8],
  ])('%s is refused, and nothing is copied', (_, gpa, length) => {
    const memory = memoryOfThree();
    const mark = Uint8Array.of(1, 2, 3, 4);
    memory.write(2 * BOUNDARY - 4, mark, 4);
    expect(memory.isUsable(gpa, length)).toBe(false);
    expect(memory.isRam(gpa, length)).toBe(false);
    expect(memory.write(gpa, new Uint8Array(4 * BOUNDARY), length)).toBe(false);
    expect(memory.read(gpa, new Uint8Array(4 * BOUNDARY), length)).toBe(false);
    const after = new Uint8Array(4);
    memory.read(2 * BOUNDARY - 4, after, 4);
    expect(after).toEqual(mark);
  });
});
