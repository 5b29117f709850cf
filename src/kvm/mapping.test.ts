import { fstatSync, ftruncateSync, readFileSync, readSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { addon, type NativeMapOptions, type NativeMapping } from './addon.ts';
import { NO_KVM, TinyGuest } from './testing/tiny-guest.ts';

const MADV_DONTNEED = 4;
const MADV_NOHUGEPAGE = 15;
const MADV_POPULATE_READ = 22;
const MADV_POPULATE_WRITE = 23;
const PAGE = addon.pageSize;
const MIB = 2 ** 20;

const mappings: NativeMapping[] = [];
function map(options: Partial<NativeMapOptions> = {}): NativeMapping {
  const mapping = addon.mapMemory({
    size: MIB,
    alignment: PAGE,
    shared: false,
    noReserve: true,
    access: 'read-write',
    ...options,
  });
  mappings.push(mapping);
  return mapping;
}

afterEach(() => {
  for (const mapping of mappings.splice(0)) mapping.close();
});

function memfd(size: number): number {
  return addon.createMemfd({ name: 'test', size, hugePageSize: 0, seal: false });
}

describe('reading and writing', () => {
  it('copies bytes, up to the very end and not beyond', () => {
    const mapping = map();
    const bytes = Uint8Array.from([1, 2, 3, 4]);
    mapping.write(MIB - 4, bytes);
    const back = new Uint8Array(4);
    mapping.read(MIB - 4, back);
    expect(back).toEqual(bytes);
    expect(() => mapping.write(MIB - 3, bytes)).toThrow(RangeError);
    expect(() => mapping.read(MIB + 1, new Uint8Array(0))).toThrow(RangeError);
    expect(() => mapping.read(2 ** 53, back)).toThrow('offset: ');
    expect(() => mapping.read(-1, back)).toThrow('offset: -1 is not a whole number');
    expect(() => mapping.read(0.5, back)).toThrow('offset: 0.5 is not a whole number');
    expect(() => mapping.read(0, 'x' as unknown as Uint8Array)).toThrow('target: expected');
  });

  it('refuses memory that is not accessible instead of dying of it', () => {
    const mapping = map({ access: 'none' });
    const page = new Uint8Array(PAGE);
    expect(() => mapping.read(0, page)).toThrow('not readable');
    mapping.protect(PAGE, 2 * PAGE, 'read-write');
    mapping.protect(2 * PAGE, PAGE, 'read');
    mapping.write(PAGE, page);
    mapping.read(2 * PAGE, page);
    expect(() => mapping.write(2 * PAGE, page)).toThrow('not writable');
    expect(() => mapping.read(PAGE, new Uint8Array(2 * PAGE + 1))).toThrow('not readable');
    mapping.protect(0, MIB, 'none');
    expect(() => mapping.read(PAGE, page)).toThrow('not readable');
    mapping.protect(0, MIB, 'read');
    mapping.read(MIB - PAGE, page);
  });

  it('takes the bytes of a view as a source', () => {
    const mapping = map();
    mapping.write(0, Uint8Array.from([5, 6, 7]));
    mapping.write(1, new Uint8Array(mapping.view(0, 3)));
    const back = new Uint8Array(4);
    mapping.read(0, back);
    expect([...back]).toEqual([5, 5, 6, 7]);
  });
});

describe('views', () => {
  it('show the same memory where they overlap, and detach when the mapping closes', () => {
    const mapping = map();
    const first = mapping.view(0, 2 * PAGE);
    const second = mapping.view(PAGE, PAGE);
    const again = mapping.view(0, 2 * PAGE);
    new Uint8Array(first)[PAGE] = 42;
    expect(new Uint8Array(second)[0]).toBe(42);
    expect(new Uint8Array(again)[PAGE]).toBe(42);
    const bytes = new Uint8Array(second);
    mapping.close();
    expect([first.byteLength, second.byteLength, again.byteLength]).toEqual([0, 0, 0]);
    expect(bytes.length).toBe(0);
    expect(() => mapping.view(0, PAGE)).toThrow('the Mapping is closed');
    mapping.close();
  });

  it('are never empty, and never leave the mapping', () => {
    const mapping = map();
    expect(() => mapping.view(0, 0)).toThrow('length: 0x0 is not from 1 to');
    expect(() => mapping.view(PAGE, MIB)).toThrow(
      'offset 0x1000 and length 0x100000 leave the size 0x100000',
    );
    expect(mapping.view(MIB - 1, 1).byteLength).toBe(1);
  });

  it('are not moved to another thread, which the mapping does not know', () => {
    const mapping = map();
    const view = mapping.view(0, PAGE);
    let copy = new ArrayBuffer(PAGE);
    try {
      copy = structuredClone(view, { transfer: [view] });
    } catch (error) {
      // Node.js 24 and newer refuse what older ones copy.
      expect(error).toMatchObject({ name: 'DataCloneError' });
    }
    expect(view.byteLength).toBe(PAGE);
    new Uint8Array(copy)[0] = 9;
    expect(new Uint8Array(view)[0]).toBe(0);
  });
});

describe('mapping', () => {
  it('aligns', () => {
    const maps = [21, 30].map((bits) => map({ alignment: 2 ** bits, size: PAGE }));
    expect(maps.map((mapping) => mapping.size)).toEqual([PAGE, PAGE]);
  });

  it('reserves far more than the host has', () => {
    const mapping = map({ size: 2 ** 40 });
    mapping.write(2 ** 40 - 1, Uint8Array.from([9]));
    const back = new Uint8Array(1);
    mapping.read(2 ** 40 - 1, back);
    expect(back[0]).toBe(9);
  });

  it('refuses what cannot be, by name', () => {
    expect(() => map({ size: 100 })).toThrow('size: 0x64 is not a positive multiple of 0x1000');
    expect(() => map({ size: 0 })).toThrow('size: 0x0');
    expect(() => map({ alignment: 3 * PAGE })).toThrow('alignment: 0x3000 is not a power of two');
    expect(() => map({ access: 'all' as 'read' })).toThrow('access: expected none, read');
    expect(() => map({ shared: 1 as unknown as boolean })).toThrow('shared: expected a boolean');
    expect(() => addon.mapMemory(undefined as unknown as NativeMapOptions)).toThrow(
      'options: expected an object',
    );
    expect(() => map({ size: 2 ** 47 })).toThrow(/^mmap\(size=0x800000000000, .*ENOMEM/);
    expect(() => map({ fd: 9999 })).toThrow(/^fstat\(.*fd=9999.*EBADF/);
  });

  it('maps a file, whose memory outlives the descriptor', () => {
    const fd = memfd(2 * MIB);
    const mapping = map({ fd, shared: true, fdOffset: MIB });
    mapping.write(3, Uint8Array.from([77]));
    const back = new Uint8Array(1);
    readSync(fd, back, 0, 1, MIB + 3);
    expect(back[0]).toBe(77);
    addon.closeMemfd(fd);
    mapping.read(3, back);
    expect(back[0]).toBe(77);
  });

  it('refuses a file that ends before the mapping would', () => {
    const fd = memfd(MIB);
    expect(() => map({ fd, shared: true, fdOffset: PAGE })).toThrow('ENXIO');
    addon.closeMemfd(fd);
  });
});

describe('memory in use', () => {
  it('comes with populate and goes with DONTNEED, on either thread', async () => {
    const mapping = map({ size: 64 * MIB });
    mapping.advise(0, 64 * MIB, MADV_NOHUGEPAGE);
    expect(await mapping.residentBytes(0, 64 * MIB)).toBe(0);
    await mapping.adviseAsync(MIB, 40 * MIB, MADV_POPULATE_WRITE);
    expect(await mapping.residentBytes(0, 64 * MIB)).toBe(40 * MIB);
    expect(await mapping.residentBytes(2 * MIB, 5 * PAGE)).toBe(5 * PAGE);
    mapping.advise(MIB, 10 * MIB, MADV_DONTNEED);
    expect(await mapping.residentBytes(0, 64 * MIB)).toBe(30 * MIB);
    await mapping.adviseAsync(0, 64 * MIB, MADV_DONTNEED);
    expect(await mapping.residentBytes(0, 64 * MIB)).toBe(0);
  });

  it('reports what the host refuses', async () => {
    const mapping = map();
    expect(() => mapping.advise(0, PAGE, 12345)).toThrow(
      'madvise(offset=0x0, length=0x1000, advice=12345): Invalid argument (EINVAL)',
    );
    await expect(mapping.adviseAsync(0, PAGE, 12345)).rejects.toMatchObject({
      code: 'EINVAL',
      errno: 22,
      syscall: 'madvise',
      args: 'offset=0x0, length=0x1000, advice=12345',
    });
    mapping.protect(0, PAGE, 'none');
    const populate = mapping.adviseAsync(0, PAGE, MADV_POPULATE_WRITE);
    await expect(populate).rejects.toMatchObject({ syscall: 'madvise' });
    expect(() => mapping.adviseAsync(MIB, PAGE, MADV_DONTNEED)).toThrow(RangeError);
  });

  it('reports a file that has shrunk under the mapping', async () => {
    const fd = memfd(MIB);
    const mapping = map({ fd, shared: true });
    ftruncateSync(fd, PAGE);
    const populate = mapping.adviseAsync(0, MIB, MADV_POPULATE_WRITE);
    await expect(populate).rejects.toMatchObject({ code: 'EFAULT' });
    addon.closeMemfd(fd);
  });

  it('stays mapped until work on another thread has stopped', async () => {
    const mapping = map({ size: 512 * MIB });
    const work = Array.from({ length: 4 }, () =>
      mapping.adviseAsync(0, 512 * MIB, MADV_POPULATE_WRITE).then(
        () => 'done',
        (error: unknown) => (error as { code: string }).code,
      ),
    );
    mapping.close();
    for (const end of await Promise.all(work)) expect(['done', 'ECANCELED']).toContain(end);
  });
});

describe('files', () => {
  it('gives memory back by fallocate, on either thread', async () => {
    const fd = memfd(8 * MIB);
    const mapping = map({ fd, shared: true, size: 8 * MIB });
    const punch = 3; // FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
    // Pages that are allocated and never touched do not count as resident.
    await addon.fallocateAsync(fd, 0, 0, 8 * MIB);
    expect(fstatSync(fd).blocks * 512).toBe(8 * MIB);
    mapping.advise(0, 8 * MIB, MADV_POPULATE_WRITE);
    expect(await mapping.residentBytes(0, 8 * MIB)).toBe(8 * MIB);
    addon.fallocate(fd, punch, 0, MIB);
    await addon.fallocateAsync(fd, punch, 2 * MIB, MIB);
    expect(await mapping.residentBytes(0, 8 * MIB)).toBe(6 * MIB);
    expect(() => addon.fallocate(fd, 0, 0, 0)).toThrow(
      `fallocate(fd=${fd}, mode=0x0, offset=0x0, length=0x0): Invalid argument (EINVAL)`,
    );
    await expect(addon.fallocateAsync(fd, 0, 0, 0)).rejects.toMatchObject({ code: 'EINVAL' });
    addon.closeMemfd(fd);
  });

  it('seals a memfd when asked to', () => {
    const fd = addon.createMemfd({ name: 'sealed', size: MIB, hugePageSize: 0, seal: true });
    expect(() => ftruncateSync(fd, 2 * MIB)).toThrow('EPERM');
    addon.closeMemfd(fd);
    const bad = { name: 'x', size: MIB, hugePageSize: 3, seal: false };
    expect(() => addon.createMemfd(bad)).toThrow('hugePageSize: 0x3 is not a power of two');
    const odd = { name: 'x', size: MIB, hugePageSize: 2 ** 13, seal: false };
    expect(() => addon.createMemfd(odd)).toThrow(/^memfd_create\(name=x, hugePageSize=0x2000\)/);
  });
});

describe.skipIf(NO_KVM !== '')('a memslot', () => {
  it('keeps its mapping open', () => {
    const guest = new TinyGuest({ code: [0xf4] });
    const extra = map();
    const slot = { slot: 7, flags: 0, gpa: 16 * MIB, size: MIB, mapping: extra, offset: 0 };
    guest.vm.setMemslot(slot);
    expect(() => extra.close()).toThrow('the Mapping is used by memslot 7');
    guest.vm.setMemslot({ ...slot, gpa: 32 * MIB });
    expect(() => extra.close()).toThrow('the Mapping is used by memslot 7');
    guest.vm.deleteMemslot(7);
    extra.close();
    guest.close();
  });

  it('lets go of its mapping when the VM closes', () => {
    const guest = new TinyGuest({ code: [0xf4] });
    expect(() => guest.memory.close()).toThrow('the Mapping is used by memslot 0');
    guest.vm.close();
    guest.memory.close();
  });
});

describe('zeros in place of memory', () => {
  const SIZE = 8 * MIB;
  /** A length that nothing else in this process has. */
  const [AT, LENGTH] = [2 * MIB, 2 * MIB + 7 * PAGE];

  const mapCount = (): number => readFileSync('/proc/self/maps', 'utf8').split('\n').length;

  /** The zeros alone: of memory and mappings the engine has more or less at will. */
  function findZeros(): { start: number; residentKib: number } {
    const entries = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
    const size = `\nSize:${String(LENGTH / 1024).padStart(19)} kB`;
    const zeros = entries.filter((entry) => entry.includes(size) && /^\S+ r--/.test(entry));
    expect(zeros).toHaveLength(1);
    const [, start = '', kib] = /^(\w+)-.*^Rss:\s+(\d+) kB/ms.exec(zeros[0] ?? '') ?? [];
    return { start: Number.parseInt(start, 16), residentKib: Number(kib) };
  }

  /** What the kernel has of mappings from an address on. */
  function mappingsFrom(start: number): readonly string[] {
    const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
    const inside = (line: string): boolean => {
      const [from = 0, to = 0] = (line.split(' ')[0] ?? '')
        .split('-')
        .map((it) => Number.parseInt(it, 16));
      return from < start + SIZE && to > start;
    };
    return lines.filter(inside);
  }

  /** Reads all of a range as another would: with a system call. */
  function readByKernel(mapping: NativeMapping): number {
    // write(2) fails where memory cannot be read, and does not kill.
    mapping.advise(AT, LENGTH, MADV_POPULATE_READ);
    return LENGTH;
  }

  const kinds: Readonly<Record<string, () => { mapping: NativeMapping; fd?: number }>> = {
    private: () => ({ mapping: map({ size: SIZE, access: 'none', alignment: 2 * MIB }) }),
    'shared, without a file': () => ({
      mapping: map({ size: SIZE, access: 'none', alignment: 2 * MIB, shared: true }),
    }),
    'a shared file': () => {
      const fd = memfd(SIZE);
      return { fd, mapping: map({ size: SIZE, access: 'none', fd, shared: true }) };
    },
    'a private file': () => {
      const fd = memfd(SIZE);
      return { fd, mapping: map({ size: SIZE, access: 'none', fd }) };
    },
  };

  it.each(Object.entries(kinds))('%s: cost nothing, and leave no trace', (name, make) => {
    const { mapping, fd } = make();
    const blocks = (): number => (fd === undefined ? 0 : fstatSync(fd).blocks);
    // As the kernel keeps it together: see letRangesMerge of unplugged-protection.ts.
    mapping.protect(0, PAGE, 'read-write');
    mapping.write(0, Uint8Array.of(7));
    mapping.protect(0, PAGE, 'none');
    const blocksBefore = blocks();
    const round = (): number => {
      mapping.showZeros(AT, LENGTH);
      readByKernel(mapping);
      expect(() => mapping.read(AT, new Uint8Array(1))).toThrow('not readable');
      expect(() => mapping.advise(AT, LENGTH, MADV_POPULATE_WRITE)).toThrow();
      expect(blocks()).toBe(blocksBefore);
      const zeros = findZeros();
      expect(zeros.residentKib).toBe(0);
      mapping.hideZeros(AT, LENGTH);
      expect(() => readByKernel(mapping)).toThrow();
      return zeros.start - AT;
    };
    const start = round();
    const left = mappingsFrom(start);
    expect(left).not.toEqual([]);
    for (let rounds = 0; rounds < 20; rounds++) expect(round()).toBe(start);
    expect(mappingsFrom(start)).toEqual(left);
    // Memory again, from nothing, with what is around it.
    mapping.protect(0, SIZE, 'read-write');
    mapping.write(AT, Uint8Array.of(9));
    const first = new Uint8Array(1);
    mapping.read(0, first);
    expect(first[0]).toBe(7);
    if (fd === undefined) return;
    const back = new Uint8Array(1);
    readSync(fd, back, 0, 1, AT);
    expect(back[0]).toBe(name.includes('shared') ? 9 : 0);
  });

  it('go with the mapping', () => {
    const { mapping } = kinds['shared, without a file']?.() ?? {};
    if (mapping === undefined) return;
    const maps = mapCount();
    mapping.showZeros(AT, LENGTH);
    mapping.close();
    expect(mapCount()).toBeLessThanOrEqual(maps);
  });
});
