import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addon, type NativeMapping } from '../../kvm/addon.ts';
import type { DiscardManager } from '../../memory/discard-manager.ts';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { GIB, MIB, PAGE_SIZE } from '../../units.ts';
import { readPhysical, readVirtual } from './guest-reader.ts';
import type { MemoryBytes } from './inspection.ts';
import { claimFile } from '../../claimed-files.ts';
import { savePhysical, saveVirtual, type SaveTarget } from './memory-dump.ts';

const RAM_SIZE = MIB;
const DEVICE = 4 * GIB;
const DEVICE_SIZE = 4 * GIB;
const BLOCK = 2 * MIB;

let folder: string;
let mappings: NativeMapping[];
let memory: GuestMemory;
/** Blocks of the device that are plugged. */
let plugged: Set<number>;

function map(size: number): NativeMapping {
  const mapping = addon.mapMemory({
    size,
    alignment: PAGE_SIZE,
    shared: false,
    noReserve: true,
    access: 'read-write',
  });
  mappings.push(mapping);
  return mapping;
}

/** Only what reading and saving need. */
function discards(): DiscardManager {
  const blocks = (offset: number, length: number): number[] => {
    const first = Math.floor(offset / BLOCK);
    const end = Math.ceil((offset + length) / BLOCK);
    return Array.from({ length: end - first }, (_, index) => first + index);
  };
  return {
    granularity: BLOCK,
    isPopulated: (offset, length) => blocks(offset, length).every((it) => plugged.has(it)),
    replayPopulated: (offset, length, visit) => {
      for (const block of blocks(offset, length)) {
        if (!plugged.has(block)) continue;
        const start = Math.max(offset, block * BLOCK);
        visit(start, Math.min(offset + length, (block + 1) * BLOCK) - start);
      }
    },
    replayDiscarded: () => undefined,
    register: () => undefined,
    unregister: () => undefined,
  };
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-'));
  mappings = [];
  plugged = new Set();
  memory = new GuestMemory();
  const ram = { mapping: map(RAM_SIZE), offset: 0 };
  memory.add({ name: 'ram', gpa: 0, size: RAM_SIZE, ...ram });
  const device = { mapping: map(DEVICE_SIZE), offset: 0, discards: discards() };
  memory.add({ name: 'vm0', gpa: DEVICE, size: DEVICE_SIZE, ...device });
});

afterEach(() => {
  for (const mapping of mappings) mapping.close();
  rmSync(folder, { recursive: true });
});

const path = (): string => join(folder, 'dump');
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const write = (gpa: number, value: string): void => {
  expect(memory.write(gpa, text(value), value.length)).toBe(true);
};
const read = (result: MemoryBytes): string => Buffer.from(result.bytes).toString();

/** Where to save to, with nothing that gives it up. */
const at = (path: string, signal = new AbortController().signal): SaveTarget => ({ path, signal });

describe('reading', () => {
  it('gives bytes, over the borders of pages and blocks', () => {
    plugged = new Set([0, 1]);
    write(PAGE_SIZE - 2, 'abcd');
    expect(readPhysical(memory, PAGE_SIZE - 2, 4)).toEqual({ bytes: text('abcd') });
    write(DEVICE + BLOCK - 2, 'efgh');
    expect(read(readPhysical(memory, DEVICE + BLOCK - 2, 4))).toBe('efgh');
  });

  it('ends where memory ends, and says what is there', () => {
    plugged = new Set([0]);
    write(DEVICE + BLOCK - 2, 'ab');
    expect(readPhysical(memory, DEVICE + BLOCK - 2, 4)).toEqual({
      bytes: text('ab'),
      endsBecause: 'vm0: not plugged (0x100200000)',
    });
    expect(readPhysical(memory, RAM_SIZE - 1, 9).bytes).toHaveLength(1);
    expect(readPhysical(memory, RAM_SIZE, 9)).toEqual({
      bytes: new Uint8Array(0),
      endsBecause: 'no memory there (0x100000)',
    });
    expect(readPhysical(memory, Number.MAX_SAFE_INTEGER, 9).bytes).toHaveLength(0);
  });

  it('follows page tables page by page', () => {
    write(0x3ffe, 'ab');
    write(0x9000, 'cd');
    const pages = new Map([
      [0x7000n, 0x3000],
      [0x8000n, 0x9000],
      [0xa000n, DEVICE],
    ]);
    const translate = (address: bigint): number | undefined => {
      const page = pages.get(address & ~0xfffn);
      return page === undefined ? undefined : page + Number(address & 0xfffn);
    };
    expect(read(readVirtual(memory, translate, 0x7ffen, 4))).toBe('abcd');
    expect(readVirtual(memory, translate, 0x8fffn, 2)).toEqual({
      bytes: new Uint8Array(1),
      endsBecause: 'not mapped',
    });
    expect(readVirtual(memory, translate, 0xa000n, 1).endsBecause).toContain('vm0: not plugged');
  });

  it('wraps around at the end of the address space', () => {
    const asked: bigint[] = [];
    const translate = (address: bigint): number => asked.push(address) * PAGE_SIZE;
    readVirtual(memory, translate, 2n ** 64n - 1n, 2);
    expect(asked).toEqual([2n ** 64n - 1n, 0n]);
  });

  it('refuses lengths that would take long', () => {
    expect(() => readPhysical(memory, 0, 2 * MIB)).toThrow('are read at once');
    expect(() => readPhysical(memory, 0, 0)).toThrow('are read at once');
  });
});

describe('saving', () => {
  it('puts every byte at its place', async () => {
    write(0x1000, 'hello');
    write(RAM_SIZE - 3, 'end');
    expect(await savePhysical(memory, 0xffe, RAM_SIZE - 0xffe, at(path()))).toEqual({
      saved: RAM_SIZE - 0xffe,
      holes: 0,
    });
    const file = readFileSync(path());
    expect(file).toHaveLength(RAM_SIZE - 0xffe);
    expect(file.subarray(0, 9).toString()).toBe('\0\0hello\0\0');
    expect(file.subarray(-3).toString()).toBe('end');
  });

  it('leaves holes where nothing is plugged, and never reads there', async () => {
    plugged = new Set([0, 700]);
    write(DEVICE, 'first');
    write(DEVICE + 701 * BLOCK - 1, '!');
    expect(await savePhysical(memory, DEVICE, DEVICE_SIZE, at(path()))).toEqual({
      saved: 2 * BLOCK,
      holes: DEVICE_SIZE - 2 * BLOCK,
    });
    const { size, blocks } = statSync(path());
    expect(size).toBe(DEVICE_SIZE);
    expect(blocks * 512).toBeLessThan(4 * MIB);
    expect(await mappings[1]!.residentBytes(5 * BLOCK, 100 * BLOCK)).toBe(0);
  });

  it('joins RAM and devices of a range that begins and ends within them', async () => {
    plugged = new Set([0]);
    write(RAM_SIZE - 1, 'r');
    write(DEVICE, 'd');
    const size = DEVICE - RAM_SIZE + 2;
    expect(await savePhysical(memory, RAM_SIZE - 1, size, at(path()))).toEqual({
      saved: 2,
      holes: size - 2,
    });
  });

  it('takes what is unplugged meanwhile for a hole', async () => {
    plugged = new Set([0, 1]);
    write(DEVICE, 'a');
    write(DEVICE + BLOCK, 'b');
    const saving = savePhysical(memory, DEVICE, 2 * BLOCK, at(path()));
    plugged.delete(1);
    expect(await saving).toEqual({ saved: BLOCK, holes: BLOCK });
    expect(readFileSync(path())[BLOCK]).toBe(0);
  });

  it('refuses a range without any memory, and makes no file', async () => {
    await expect(savePhysical(memory, DEVICE, BLOCK, at(path()))).rejects.toThrow(
      '0x100000000 to 0x100200000: nothing to save: vm0: not plugged',
    );
    await expect(savePhysical(memory, 2 * GIB, 1, at(path()))).rejects.toThrow('no memory there');
    expect(existsSync(path())).toBe(false);
  });

  it('empties the file first, and makes one that is its owner’s', async () => {
    await savePhysical(memory, 0, 5, at(path()));
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    writeFileSync(path(), 'something long that was there');
    await savePhysical(memory, 0, 5, at(path()));
    expect(readFileSync(path())).toEqual(Buffer.alloc(5));
  });

  it.each(['missing', 'there'])('leaves nothing when it is given up, of a file %s', async (was) => {
    if (was === 'there') writeFileSync(path(), 'something');
    const ending = new AbortController();
    const saving = savePhysical(memory, 0, RAM_SIZE, at(path(), ending.signal));
    setImmediate(() => ending.abort());
    await expect(saving).rejects.toThrow(`the machine has ended: ${path()} is not saved`);
    const left = statSync(path(), { throwIfNoEntry: false });
    expect(left?.size).toBe(was === 'there' ? 0 : undefined);
  });

  it('refuses a file that is in use, whatever its name, and leaves it alone', async () => {
    writeFileSync(path(), 'precious');
    const giveUp = claimFile('memory backend m', 'memory', path());
    await expect(savePhysical(memory, 0, 1, at(path()))).rejects.toThrow(
      `cannot save to ${path()}: it is memory backend m`,
    );
    expect(readFileSync(path(), 'utf8')).toBe('precious');
    giveUp();
  });

  it('refuses what is no file, naming it', async () => {
    await expect(savePhysical(memory, 0, 1, at(folder))).rejects.toThrow(
      `cannot save to ${folder}`,
    );
    await expect(savePhysical(memory, 0, 1, at('/dev/null'))).rejects.toThrow('not a regular file');
    const nowhere = join(folder, 'no', 'where');
    await expect(savePhysical(memory, 0, 1, at(nowhere))).rejects.toThrow('ENOENT');
  });

  it('of virtual memory goes on until something is not mapped', async () => {
    const reads: [bigint, number][] = [];
    const reader = (address: bigint, length: number): Promise<MemoryBytes> => {
      reads.push([address, length]);
      const bytes = new Uint8Array(length).fill(7);
      if (reads.length < 3) return Promise.resolve({ bytes });
      return Promise.resolve({ bytes: bytes.subarray(0, 10), endsBecause: 'not mapped' });
    };
    await expect(saveVirtual(reader, 0x1000n, MIB, at(path()))).rejects.toThrow(
      `0x8100a: not mapped; ${path()} has the 524298 bytes before it`,
    );
    expect(reads.map(([address]) => address)).toEqual([0x1000n, 0x41000n, 0x81000n]);
    expect(readFileSync(path())).toEqual(Buffer.alloc(524_298, 7));
  });
});
