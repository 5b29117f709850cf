import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GIB, MIB } from '../units.ts';
import { hugetlbRoom, memoryLimit, memoryRoom } from './cgroup.ts';

let folder = '';
let proc = '';

function write(path: string, text: string | number): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${text}\n`);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-cgroup-'));
  proc = join(folder, 'proc');
  write('proc/meminfo', 'MemAvailable:   16777216 kB\nSwapFree:        0 kB');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** @param mount  of cgroup2, or of cgroup with a controller; @param root  what of it is mounted */
function place(path: string, mount: 'cgroup2' | 'memory' | 'hugetlb', root = '/'): void {
  const version2 = mount === 'cgroup2';
  write('proc/self/cgroup', version2 ? `0::${path}` : `4:${mount}:${path}\n0::/`);
  const type = version2 ? 'cgroup2 cgroup2 rw' : `cgroup cgroup rw,${mount}`;
  write('proc/self/mountinfo', `30 23 0:28 ${root} ${folder}/cg rw,relatime shared:4 - ${type}`);
}

describe('a limit on memory', () => {
  it('is the narrowest of all above, with the swap that it may use', () => {
    place('/vms/one', 'cgroup2');
    expect(memoryLimit(proc)).toBeUndefined();
    write('cg/vms/one/memory.max', 'max');
    write('cg/vms/one/memory.high', 1);
    write('cg/vms/memory.max', GIB);
    write('cg/memory.max', 2 * GIB);
    const who = 'memory cgroup /vms: memory.max=1 GiB';
    expect(memoryLimit(proc)).toEqual({ bytes: GIB, who });
    write('proc/meminfo', `SwapFree: ${512 * 1024} kB`);
    write('cg/vms/memory.swap.max', 'max');
    expect(memoryLimit(proc)).toEqual({ bytes: GIB + 512 * MIB, who });
  });

  it('is found in version 1', () => {
    place('/vms', 'memory');
    write('cg/vms/memory.limit_in_bytes', '9223372036854771712');
    expect(memoryLimit(proc)).toBeUndefined();
    write('cg/vms/memory.limit_in_bytes', GIB);
    expect(memoryLimit(proc)).toEqual({
      bytes: GIB,
      who: 'memory cgroup /vms: memory.limit_in_bytes=1 GiB',
    });
  });
});

describe('room in memory', () => {
  it('is what the host has, where no cgroup limits it', () => {
    place('/', 'cgroup2');
    write('cg/memory.stat', 'anon 1');
    expect(memoryRoom(proc)).toMatchObject({ bytes: 16 * GIB, who: 'this host' });
  });

  it('is what the narrowest cgroup above leaves, cached files counted as free', () => {
    place('/vms/one', 'cgroup2');
    write('cg/vms/one/memory.max', 'max');
    write('cg/vms/one/memory.high', 'max');
    write('cg/vms/memory.max', GIB);
    write('cg/vms/memory.current', 768 * MIB);
    write('cg/vms/memory.stat', `anon 1\ninactive_file ${100 * MIB}\nactive_file ${28 * MIB}`);
    expect(memoryRoom(proc)).toMatchObject({
      bytes: 384 * MIB,
      who: 'memory cgroup /vms: memory.max=1 GiB',
    });
    write('cg/vms/one/memory.high', 100 * MIB);
    write('cg/vms/one/memory.current', 101 * MIB);
    expect(memoryRoom(proc)).toMatchObject({
      bytes: 0,
      who: 'memory cgroup /vms/one: memory.high=100 MiB',
    });
  });

  it('counts swap as far as the host has it and the cgroup may use it', () => {
    place('/a', 'cgroup2');
    write('proc/meminfo', 'MemAvailable: 16777216 kB\nSwapFree: 65536 kB');
    write('cg/a/memory.max', GIB);
    write('cg/a/memory.current', GIB);
    expect(memoryRoom(proc)).toMatchObject({ bytes: 0 });
    write('cg/a/memory.swap.max', 'max');
    write('cg/a/memory.swap.current', 0);
    expect(memoryRoom(proc)).toMatchObject({ bytes: 64 * MIB });
    write('cg/a/memory.swap.max', 32 * MIB);
    expect(memoryRoom(proc)).toMatchObject({ bytes: 32 * MIB });
  });

  it('is found in cgroups of version 1, and where a container sees only its own', () => {
    place('/docker/abc', 'memory', '/docker/abc');
    write('cg/memory.limit_in_bytes', GIB);
    write('cg/memory.usage_in_bytes', 600 * MIB);
    write('cg/memory.stat', `total_inactive_file ${MIB}\ntotal_active_file ${MIB}`);
    expect(memoryRoom(proc)).toMatchObject({
      bytes: 426 * MIB,
      who: 'memory cgroup /docker/abc: memory.limit_in_bytes=1 GiB',
    });
    // No limit at all, in the words of version 1.
    write('cg/memory.limit_in_bytes', '9223372036854771712');
    expect(memoryRoom(proc)).toMatchObject({ who: 'this host' });
  });
});

describe('room in huge pages', () => {
  it('is what hugetlb cgroups leave, of pages and of reservations', () => {
    place('/a/b', 'cgroup2');
    write('cg/a/hugetlb.2MB.max', 8 * MIB);
    write('cg/a/hugetlb.2MB.current', 6 * MIB);
    write('cg/a/b/hugetlb.2MB.max', 'max');
    write('cg/a/b/hugetlb.2MB.rsvd.max', 0);
    expect(hugetlbRoom(2 * MIB, 'pages', proc)).toMatchObject({
      bytes: 2 * MIB,
      who: 'hugetlb cgroup /a: hugetlb.2MB.max=8 MiB',
    });
    expect(hugetlbRoom(2 * MIB, 'reservations', proc)).toMatchObject({ bytes: 0 });
    expect(hugetlbRoom(GIB, 'pages', proc)).toBeUndefined();
    place('/x', 'hugetlb');
    write('cg/x/hugetlb.1GB.limit_in_bytes', 2 * GIB);
    expect(hugetlbRoom(GIB, 'pages', proc)).toMatchObject({ bytes: 2 * GIB });
  });
});
