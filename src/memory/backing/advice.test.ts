import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { KIB, MIB } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { openBacking } from './open.ts';
import type { BackingSpec, RamSpec } from './spec.ts';
import { fileSpec, memfdSpec, ramSpec } from './testing/specs.ts';

/** A size that nothing else in this process has. */
const SIZE = 37 * MIB;
let backing: Backing | undefined;

afterEach(() => {
  backing?.close();
  backing = undefined;
});

/** The kernel's two-letter flags of the mapping, as `hg` for MADV_HUGEPAGE. */
function flagsOf(spec: BackingSpec): readonly string[] {
  backing = openBacking({ ...spec, size: SIZE });
  const entries = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = entries.find((entry) =>
    entry.includes(`\nSize:${String(SIZE / KIB).padStart(19)} kB`),
  );
  return (
    /^VmFlags: (.*)$/m
      .exec(own ?? '')?.[1]
      ?.trim()
      .split(' ') ?? []
  );
}

it.each<[Partial<RamSpec>, string]>([
  [{ thp: true }, 'hg'],
  [{ thp: false }, 'nh'],
  [{ merge: true }, 'mg'],
  [{ dump: false }, 'dd'],
])('tells the kernel of %j', (keys, flag) => {
  expect(flagsOf(ramSpec(keys))).toContain(flag);
  backing?.close();
  const plain = flagsOf(ramSpec());
  expect(plain).toContain('rd');
  if (flag !== 'hg') expect(plain).not.toContain(flag);
});

it.each<[string, BackingSpec, 'hg' | 'nh' | undefined]>([
  ['anonymous memory', ramSpec(), 'hg'],
  ['shared anonymous memory', ramSpec({ share: true }), 'hg'],
  ['a memfd', memfdSpec(), 'hg'],
  ['memory in blocks of a huge page', ramSpec({ partSize: 2 * MIB }), 'hg'],
  ['memory in smaller blocks', ramSpec({ partSize: MIB }), 'nh'],
  ['a memfd in smaller blocks', memfdSpec({ partSize: MIB }), 'nh'],
  ['a private mapping of a memfd', memfdSpec({ share: false }), undefined],
])('asks for huge pages unasked where they help: %s', (_what, spec, flag) => {
  const flags = flagsOf(spec).filter((it) => it === 'hg' || it === 'nh');
  expect(flags).toEqual(flag === undefined ? [] : [flag]);
});

it('keeps to what was asked where blocks are small', () => {
  expect(flagsOf(ramSpec({ partSize: MIB, thp: true }))).toContain('hg');
});

it('asks for none in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsvmm-thp-'));
  try {
    const flags = flagsOf(fileSpec(join(folder, 'memory'), { share: true }));
    expect(flags).not.toContain('hg');
    expect(flags).not.toContain('nh');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('tells it of files, too', () => {
  expect(flagsOf(memfdSpec({ dump: false }))).toContain('dd');
});

it('is charged for what is reserved, and for nothing else', () => {
  expect(flagsOf(ramSpec({ reserve: true }))).toContain('ac');
  backing?.close();
  expect(flagsOf(ramSpec())).not.toContain('ac');
});
