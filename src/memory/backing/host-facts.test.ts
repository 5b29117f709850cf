import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GIB, MIB } from '../../units.ts';
import { ownerOf } from './devmem.ts';
import { inspectPath } from './file-facts.ts';
import { memoryNodes, parseNumberList } from './host-nodes.ts';
import {
  defaultHugePageSize,
  freeHugePages,
  hugePageSizes,
  hugePageTrouble,
} from './huge-pages.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-facts-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function hugePages(name: string, free: number, reserved: number): void {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'free_hugepages'), `${free}\n`);
  writeFileSync(join(path, 'resv_hugepages'), `${reserved}\n`);
}

describe('huge pages', () => {
  it('are counted without those that others have reserved', () => {
    hugePages('hugepages-1048576kB', 0, 0);
    hugePages('hugepages-2048kB', 10, 7);
    expect(hugePageSizes(folder)).toEqual([2 * MIB, GIB]);
    expect(freeHugePages(2 * MIB, folder)).toBe(3);
    expect(hugePageTrouble(2 * MIB, folder)).toBeUndefined();
    expect(hugePageTrouble(GIB, folder)).toContain('no free huge page of 1 GiB is left');
  });

  it('do not exist on some hosts', () => {
    expect(hugePageSizes(join(folder, 'none'))).toEqual([]);
  });

  it('have a default size', () => {
    writeFileSync(join(folder, 'meminfo'), 'MemTotal: 1 kB\nHugepagesize:    1048576 kB\n');
    expect(defaultHugePageSize(join(folder, 'meminfo'))).toBe(GIB);
  });
});

describe('a path', () => {
  it('is a device-dax when sysfs says so', () => {
    // /dev/null is a character device, 1:3; a made-up sysfs makes a device-dax of it.
    const device = join(folder, 'dev', 'char', '1:3');
    mkdirSync(device, { recursive: true });
    symlinkSync('../../../bus/dax', join(device, 'subsystem'));
    writeFileSync(join(device, 'size'), '2147483648\n');
    writeFileSync(join(device, 'align'), '2097152\n');
    expect(inspectPath('/dev/null', folder)).toEqual({
      kind: 'device-dax',
      size: 2 * GIB,
      pageSize: 2 * MIB,
    });
    expect(inspectPath('/dev/zero', folder).kind).toBe('other');
  });

  it('is a file, a folder, or missing', () => {
    writeFileSync(join(folder, 'file'), 'abc');
    expect(inspectPath(join(folder, 'file'))).toEqual({ kind: 'file', size: 3, pageSize: 4096 });
    expect(inspectPath(folder)).toEqual({ kind: 'folder', size: 0, pageSize: 4096 });
    expect(inspectPath(join(folder, 'new'))).toEqual({ kind: 'missing', size: 0, pageSize: 4096 });
    expect(() => inspectPath(join(folder, 'none', 'new'))).toThrow('mem-path=');
  });
});

describe('host-physical memory', () => {
  const iomem = [
    '00000000-00000fff : Reserved',
    '00001000-0009fbff : System RAM',
    '00100000-bfffffff : System RAM',
    '  01000000-01ffffff : Kernel code',
    '100000000-13fffffff : Reserved',
    '380000000000-380fffffffff : PCI Bus 0000:00',
  ].join('\n');

  it.each([
    [0x10_0000, MIB, 'System RAM'],
    [0xbfff_f000, 4 * GIB, 'System RAM'],
    [4 * GIB, GIB, undefined],
    [0x3800_0000_0000, GIB, 'PCI Bus 0000:00'],
    [0x2_0000_0000, GIB, undefined],
  ])('at 0x%s belongs to its user', (base, size, owner) => {
    expect(ownerOf(base, size, iomem)).toBe(owner);
  });

  it('belongs to nobody where the addresses are hidden', () => {
    expect(ownerOf(0, GIB, '00000000-00000000 : System RAM')).toBeUndefined();
  });
});

describe('host nodes', () => {
  it.each([
    ['0', [0]],
    ['0-2,5', [0, 1, 2, 5]],
    ['3-1', []],
    ['x', []],
    ['', []],
  ])('%j are %j', (text, nodes) => {
    expect(parseNumberList(text)).toEqual(nodes);
  });

  it('are those with memory, or one where the host has no NUMA', () => {
    writeFileSync(join(folder, 'has_memory'), '0,2-3\n');
    expect(memoryNodes(join(folder, 'has_memory'))).toEqual([0, 2, 3]);
    expect(memoryNodes(join(folder, 'none'))).toEqual([0]);
  });
});
