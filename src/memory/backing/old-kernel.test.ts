import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

/*
 * Kernels before 5.14 do not know MADV_POPULATE_WRITE. A library in front of the C library's madvise
 * makes such a kernel of this one.
 */
const SHIM = `
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
int madvise(void *address, size_t length, int advice) {
  if (advice == 23) { errno = EINVAL; return -1; }
  return (int)syscall(SYS_madvise, address, length, advice);
}
`;
const ADDON = join(import.meta.dirname, '../../../build/Release/tsvmm.node');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-old-'));
  writeFileSync(join(folder, 'shim.c'), SHIM);
  execFileSync('cc', ['-shared', '-fPIC', '-o', join(folder, 'shim.so'), join(folder, 'shim.c')]);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What a script says that has `addon`, `map(fd)` and 8 MiB on an old kernel. */
function onOldKernel(script: string): unknown {
  const prelude = `
    const fs = require('node:fs');
    const addon = require(${JSON.stringify(ADDON)});
    const SIZE = 8 * 2 ** 20;
    const map = (fd) => addon.mapMemory(
      { size: SIZE, alignment: 4096, shared: fd !== undefined, noReserve: true, access: 'read-write', fd });
    (async () => { ${script} })().then((it) => process.stdout.write(JSON.stringify(it)));`;
  const { stdout, stderr, signal } = spawnSync(process.execPath, ['-e', prelude], {
    encoding: 'utf8',
    env: { ...process.env, LD_PRELOAD: join(folder, 'shim.so') },
  });
  expect({ stderr, signal }).toEqual({ stderr: '', signal: null });
  return JSON.parse(stdout);
}

it('allocates by touching, and keeps what is there', () => {
  const script = `
    const memory = map();
    memory.write(3 * 2 ** 20, Uint8Array.of(7));
    await memory.populate(0, SIZE, 2);
    const byte = new Uint8Array(1);
    memory.read(3 * 2 ** 20, byte);
    return [await memory.residentBytes(0, SIZE), byte[0], memory.faultOffset ?? null];`;
  expect(onOldKernel(script)).toEqual([8 * 2 ** 20, 7, null]);
});

it('fails, and survives, where the file ends before its mapping', () => {
  const script = `
    const path = ${JSON.stringify(join(folder, 'file'))};
    fs.writeFileSync(path, Buffer.alloc(SIZE));
    const memory = map(fs.openSync(path, 'r+'));
    fs.truncateSync(path, SIZE / 2);
    return memory.populate(0, SIZE, 1).then(() => 'allocated', (error) => error.code);`;
  expect(onOldKernel(script)).toBe('EFAULT');
});
