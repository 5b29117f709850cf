import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KIB, MIB } from '../../units.ts';
import { thpSize } from '../thp-size.ts';
import { memfdSpec, ramSpec } from './testing/specs.ts';
import { describeThp } from './thp.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-thp-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const OWN = `hugepages-${thpSize() / KIB}kB`;

/** A kernel that is set as these files say. */
function kernel(files: Readonly<Record<string, string>>): { sysfs: string; status: string } {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${text}\n`);
  }
  return { sysfs: folder, status: join(folder, 'status') };
}

const ANONYMOUS = ramSpec();
const SHARED = memfdSpec();

describe('info memdev says of transparent huge pages', () => {
  it.each([
    ['on', ANONYMOUS, { enabled: 'always [madvise] never' }],
    ['on', ANONYMOUS, { enabled: '[always] madvise never', shmem_enabled: '[never]' }],
    ['on', SHARED, { enabled: '[never]', shmem_enabled: 'always within_size [advise] never' }],
    ['on', SHARED, { shmem_enabled: '[never]', [`${OWN}/shmem_enabled`]: 'inherit [advise]' }],
    ['on', ANONYMOUS, { enabled: '[never]', [`${OWN}/enabled`]: 'always inherit [madvise]' }],
  ])('%s where the kernel gives them', (words, spec, files) => {
    expect(describeThp(spec, kernel(files))).toBe(words);
  });

  it.each([
    ['enabled is never', ANONYMOUS, { enabled: 'always madvise [never]' }],
    ['shmem_enabled is never', SHARED, { shmem_enabled: 'advise [never]' }],
    [
      'shmem_enabled is deny',
      SHARED,
      { shmem_enabled: '[deny]', [`${OWN}/shmem_enabled`]: '[always]' },
    ],
    [`${OWN}/enabled is never`, ANONYMOUS, { enabled: '[always]', [`${OWN}/enabled`]: '[never]' }],
    ['enabled is never', ANONYMOUS, { enabled: '[never]', [`${OWN}/enabled`]: '[inherit]' }],
    ['enabled is missing', ANONYMOUS, {}],
  ])('which file keeps the kernel from it: %s', (why, spec, files) => {
    const paths = kernel(files);
    expect(describeThp(spec, paths)).toBe(`on, but without effect: ${paths.sysfs}/${why}`);
  });

  it('that the process may have none', () => {
    const paths = kernel({
      enabled: '[always]',
      status: 'Name:\tnode\nTHP_enabled:\t0\nThreads:\t1',
    });
    expect(describeThp(ANONYMOUS, paths)).toContain('PR_SET_THP_DISABLE');
  });

  it('that they are off, and why where nobody asked for that', () => {
    const paths = kernel({ enabled: '[always]' });
    expect(describeThp(ramSpec({ thp: false }), paths)).toBe('off');
    expect(describeThp(ramSpec({ partSize: MIB }), paths)).toContain('smaller than a huge page');
  });

  it('nothing where memory is on pages of its own', () => {
    expect(describeThp(memfdSpec({ hugePageSize: 2 * MIB }))).toBeUndefined();
    expect(describeThp(memfdSpec({ share: false }))).toBeUndefined();
  });
});
