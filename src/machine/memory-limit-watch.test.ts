import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setLogTarget } from '../log.ts';
import { GIB } from '../units.ts';
import { MemoryLimitWatch, type ChargedMemory } from './memory-limit-watch.ts';

let folder: string;
let fd: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-limit-'));
  fd = openSync(join(folder, 'log'), 'w');
  setLogTarget(fd);
});
afterEach(() => {
  setLogTarget(process.stderr.fd);
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

const warnings = (): readonly string[] =>
  readFileSync(join(folder, 'log'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);

const WHO = 'memory cgroup /a: memory.max=4 GiB';

function watch(limit: { bytes: number } | undefined): {
  charged: ChargedMemory;
  check: () => void;
} {
  const state = { charged: { boot: GIB, requested: 0, untouched: GIB } as ChargedMemory };
  const it = new MemoryLimitWatch(
    () => state.charged,
    () => (limit === undefined ? undefined : { ...limit, who: WHO }),
  );
  return Object.assign(state, { check: () => it.check() });
}

describe('memory that a cgroup does not let the process have', () => {
  it('is warned of in a line that names the cgroup and its limit', () => {
    const it = watch({ bytes: 4 * GIB });
    it.check();
    expect(warnings()).toEqual([]);
    it.charged = { boot: 8 * GIB, requested: 0, untouched: 8 * GIB };
    it.check();
    expect(warnings()).toEqual([
      expect.stringContaining(`boot memory of 8 GiB are more than ${WHO}`),
    ]);
  });

  it('is warned of again only after it was over', () => {
    const it = watch({ bytes: 4 * GIB });
    const ask = (requested: number): void => {
      it.charged = { boot: GIB, requested, untouched: GIB + requested };
      it.check();
    };
    ask(3 * GIB);
    expect(warnings()).toEqual([]);
    for (const size of [4 * GIB, 5 * GIB, 4 * GIB]) ask(size);
    expect(warnings()).toEqual([expect.stringContaining('4 GiB asked of memory devices')]);
    ask(GIB);
    ask(6 * GIB);
    expect(warnings()).toHaveLength(2);
  });

  it('is not warned of where it is all preallocated, or nothing limits it', () => {
    const charged = { boot: 8 * GIB, requested: 0, untouched: 0 };
    Object.assign(watch({ bytes: GIB }), { charged }).check();
    Object.assign(watch(undefined), { charged: { ...charged, untouched: 8 * GIB } }).check();
    expect(warnings()).toEqual([]);
  });
});
