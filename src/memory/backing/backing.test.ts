import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../../units.ts';
import { INLINE_DISCARD_LIMIT, type Backing } from '../backing.ts';
import { openBacking } from './open.ts';
import type { BackingSpec } from './spec.ts';
import { fileSpec, memfdSpec, ramSpec } from './testing/specs.ts';

const SIZE = 16 * MIB;
let folder = '';
let shm = '';
const opened: Backing[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-backing-'));
  shm = mkdtempSync('/dev/shm/tsvmm-backing-');
});

afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(shm, { recursive: true });
});

afterEach(() => {
  for (const backing of opened.splice(0)) backing.close();
});

function open(spec: BackingSpec): Backing {
  const backing = openBacking(spec);
  opened.push(backing);
  return backing;
}

function fill(backing: Backing, offset: number, length: number): void {
  backing.mapping.write(offset, new Uint8Array(length).fill(0xa5));
}

function read(backing: Backing, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  backing.mapping.read(offset, bytes);
  return bytes;
}

// Buffer compares as fast as memory reads; every() takes seconds for these sizes.
const isFilled = (bytes: Uint8Array): boolean => Buffer.alloc(bytes.length, 0xa5).equals(bytes);
const isZero = (bytes: Uint8Array): boolean => Buffer.alloc(bytes.length).equals(bytes);

const KINDS: readonly (readonly [string, () => BackingSpec])[] = [
  ['ram', () => ramSpec()],
  ['ram, reserved', () => ramSpec({ reserve: true })],
  ['ram, shared', () => ramSpec({ share: true })],
  ['memfd', () => memfdSpec()],
  ['memfd, private', () => memfdSpec({ share: false, seal: false })],
  ['a shared file on tmpfs', () => fileSpec(join(shm, 'shared'), { share: true })],
  ['a private file on tmpfs', () => fileSpec(join(shm, 'private'))],
  ['a file in a folder', () => fileSpec(shm, { share: true })],
  ['a part of a file', () => fileSpec(join(shm, 'part'), { share: true, offset: 4 * MIB })],
  ['a shared file on disk', () => fileSpec(join(folder, 'disk'), { share: true })],
  ['a private file on disk', () => fileSpec(join(folder, 'disk-private'))],
];

describe.each(KINDS)('%s', (_name, spec) => {
  it('reads zeros, and keeps what is written', () => {
    const backing = open(spec());
    expect(backing.size).toBe(SIZE);
    expect(isZero(read(backing, 0, SIZE))).toBe(true);
    fill(backing, MIB, MIB);
    expect(isFilled(read(backing, MIB, MIB))).toBe(true);
  });

  it('gives back to the host just what it is told to, which reads zeros then', async () => {
    const backing = open(spec());
    expect(backing.frees).toBe(true);
    backing.checkDiscards();
    expect(await backing.startEmpty()).toBe(0);
    fill(backing, 0, SIZE);
    await backing.discard(2 * MIB, 2 * MIB);
    expect(isFilled(read(backing, 0, 2 * MIB))).toBe(true);
    expect(isZero(read(backing, 2 * MIB, 2 * MIB))).toBe(true);
    expect(isFilled(read(backing, 4 * MIB, SIZE - 4 * MIB))).toBe(true);
    await backing.discard(0, SIZE);
    expect(await backing.mapping.residentBytes(0, SIZE)).toBe(0);
    expect(isZero(read(backing, 0, SIZE))).toBe(true);
  });

  it('drops small ranges at once, and large ones off the event loop', async () => {
    const backing = open(spec());
    fill(backing, 0, SIZE);
    expect(backing.discard(0, INLINE_DISCARD_LIMIT)).toBeUndefined();
    const later = backing.discard(0, INLINE_DISCARD_LIMIT + MIB);
    expect(later).toBeInstanceOf(Promise);
    await later;
    expect(isZero(read(backing, 0, INLINE_DISCARD_LIMIT + MIB))).toBe(true);
  });

  it('allocates without changing what is there', async () => {
    const backing = open({ ...spec(), preallocThreads: 3 });
    fill(backing, MIB, MIB);
    await backing.populate(0, SIZE);
    expect(await backing.mapping.residentBytes(0, SIZE)).toBe(SIZE);
    expect(isFilled(read(backing, MIB, MIB))).toBe(true);
    expect(isZero(read(backing, 0, MIB))).toBe(true);
  });

  it('is closed twice without harm', () => {
    const backing = open(spec());
    backing.close();
    backing.close();
    expect(() => backing.discard(0, MIB)).toThrow();
  });
});

describe('a file with content', () => {
  const make = (name: string): string => {
    const path = join(shm, name);
    writeFileSync(path, new Uint8Array(SIZE).fill(0xa5));
    return path;
  };

  it('shows its content, until a device starts with it empty', async () => {
    const path = make('content');
    const backing = open(fileSpec(path, { share: true }));
    backing.checkDiscards();
    expect(isFilled(read(backing, 0, SIZE))).toBe(true);
    expect(await backing.startEmpty()).toBe(SIZE);
    const { size, blocks } = statSync(path);
    expect({ size, blocks }).toEqual({ size: SIZE, blocks: 0 });
    expect(isZero(read(backing, 0, SIZE))).toBe(true);
  });

  it('keeps to its part of the file', async () => {
    const path = make('window');
    const backing = open(fileSpec(path, { share: true, offset: 4 * MIB, size: 4 * MIB }));
    backing.checkDiscards();
    expect(await backing.startEmpty()).toBe(4 * MIB);
    fill(backing, 0, 4 * MIB);
    await backing.discard(MIB, MIB);
    const bytes = readFileSync(path);
    expect(isFilled(bytes.subarray(0, 5 * MIB))).toBe(true);
    expect(isZero(bytes.subarray(5 * MIB, 6 * MIB))).toBe(true);
    expect(isFilled(bytes.subarray(6 * MIB))).toBe(true);
  });

  it('is not changed by writes to a private mapping', () => {
    const path = make('private-content');
    const backing = open(fileSpec(path, { readonly: true }));
    backing.mapping.write(0, new Uint8Array(MIB));
    expect(isZero(read(backing, 0, MIB))).toBe(true);
    expect(isFilled(readFileSync(path))).toBe(true);
  });

  it('does not serve a device when it is readonly, and says why', () => {
    const backing = open(fileSpec(make('readonly'), { readonly: true }));
    expect(() => backing.checkDiscards()).toThrow('test: readonly=on: a memory device makes holes');
  });

  it('keeps it when that is given up before it begins', async () => {
    const path = make('given-up');
    const backing = open(fileSpec(path, { share: true }));
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(backing.startEmpty(signal)).rejects.toThrow('enough');
    await expect(backing.populate(0, SIZE, signal)).rejects.toThrow('enough');
    await expect(backing.secure(0, SIZE, signal)).rejects.toThrow('enough');
    expect(isFilled(readFileSync(path))).toBe(true);
  });

  it('is neither cut nor grown', () => {
    const path = join(shm, 'short');
    writeFileSync(path, 'something');
    expect(() => open(fileSpec(path))).toThrow(
      `id=test: mem-path=${path}: the file has 9 B; offset and size together are 16 MiB`,
    );
    expect(readFileSync(path, 'utf8')).toBe('something');
  });
});

describe('a file that is closed before it is kept', () => {
  it('is gone when it was made', () => {
    const path = join(shm, 'made');
    open(fileSpec(path, { share: true })).close();
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('is empty again when it was', () => {
    const path = join(shm, 'was-empty');
    writeFileSync(path, '');
    open(fileSpec(path, { share: true })).close();
    expect(statSync(path).size).toBe(0);
  });

  it.each(['missing', 'empty'])('stays when it is kept and was %s', (before) => {
    const path = join(shm, `kept-${before}`);
    if (before === 'empty') writeFileSync(path, '');
    const backing = open(fileSpec(path, { share: true }));
    backing.keep();
    backing.close();
    expect(statSync(path).size).toBe(SIZE);
  });

  it('is left alone when it is another by then', () => {
    const path = join(shm, 'other');
    const backing = open(fileSpec(path, { share: true }));
    rmSync(path);
    writeFileSync(path, 'precious');
    backing.close();
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('leaves nothing when it is refused', () => {
    const path = join(shm, 'refused');
    expect(() => open(fileSpec(path, { align: 3 }))).toThrow('align=3');
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe('setting memory aside', () => {
  it.each([undefined, false])(
    'takes blocks of a shared file when they are handed out, reserve=%s',
    async (reserve) => {
      const path = join(folder, `secured-${String(reserve)}`);
      const backing = open(fileSpec(path, { share: true, reserve }));
      expect(statSync(path).blocks).toBe(0);
      await backing.secure(MIB, MIB);
      expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(MIB);
      await backing.discard(MIB, MIB);
      expect(statSync(path).blocks).toBe(0);
    },
  );

  it('is not done where nothing but the host itself can run out', () => {
    expect(open(ramSpec()).secure(0, MIB)).toBeUndefined();
    expect(open(memfdSpec()).secure(0, MIB)).toBeUndefined();
  });
});

describe('a path', () => {
  it.each([
    ['/dev/null', 'neither a file, nor a folder, nor a device-dax'],
    ['/nowhere/file', 'ENOENT'],
    ['/proc/version', 'the file has 0 B'],
    ['/dev/dax99.0', 'there is no such device'],
  ])('%s is refused: %s', (path, message) => {
    expect(() => open(fileSpec(path, { readonly: true }))).toThrow(message);
  });

  it('that is a folder leaves no file there', () => {
    const inside = mkdtempSync(join(shm, 'folder-'));
    open(fileSpec(inside));
    expect(readFileSync('/proc/self/maps', 'utf8')).toContain(`${inside}/tsvmm-test-`);
    // Only an empty one can be removed so.
    rmdirSync(inside);
  });

  it('is told apart by its alignment and offset', () => {
    const path = join(shm, 'aligned');
    expect(() => open(fileSpec(path, { offset: 12 }))).toThrow('offset=12: not a multiple');
    expect(() => open(fileSpec(path, { align: 3 * MIB }))).toThrow(
      'align=3145728: must be a power',
    );
    expect(() => open(fileSpec(path, { align: 512 }))).toThrow('align=512: must be a power');
    const fd = openSync(path, 'w+');
    ftruncateSync(fd, 0);
    closeSync(fd);
    expect(open(fileSpec(path, { align: 64 * MIB })).size).toBe(SIZE);
  });
});
