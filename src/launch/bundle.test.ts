import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Bundle } from './bundle.ts';
import { readCodeCache, writeCodeCache } from './code-cache.ts';

let root: string;
let folder: string;
let cache: string;

/** Names change with the contents, as those of the real bundle. */
function writeBundle(version: number): string {
  const part = `part-${version}.cjs`;
  writeFileSync(join(folder, part), `module.exports = () => ${version};`);
  const entry = `entry-${version}.cjs`;
  const body = `exports.part = () => require('./${part}')(); exports.join = require('node:path').join;`;
  writeFileSync(join(folder, entry), body);
  return entry;
}

interface Entry {
  part(): number;
  join: typeof join;
}

const load = (bundle: Bundle, entry: string): Entry => bundle.load(entry) as Entry;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsvmm-bundle-'));
  folder = mkdtempSync(join(root, 'package-'));
  cache = join(folder, `code-${process.version}`);
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

/** Runs a bundle once and keeps what it compiled. */
function keepOnce(entry: string): void {
  const bundle = new Bundle(folder);
  load(bundle, entry).part();
  bundle.keep(true);
}

describe('a bundle', () => {
  it('runs each file once, with what it requires', () => {
    const bundle = new Bundle(folder);
    const entry = writeBundle(1);
    expect(load(bundle, entry).part()).toBe(1);
    expect(load(bundle, entry).join).toBe(join);
    expect(bundle.load(entry)).toBe(bundle.load(entry));
  });

  it('compiles nothing that was kept before', () => {
    const entry = writeBundle(1);
    keepOnce(entry);
    const bundle = new Bundle(folder);
    expect(load(bundle, entry).part()).toBe(1);
    expect(bundle).toMatchObject({ hasCompiled: false, isWarm: true });
    expect(readdirSync(folder).sort()).toEqual(
      [entry, 'part-1.cjs', `code-${process.version}`].sort(),
    );
  });

  it('keeps what another command has loaded, and nothing of another build', () => {
    keepOnce(writeBundle(1));
    const entry = writeBundle(2);
    rmSync(join(folder, 'part-1.cjs'));
    const bundle = new Bundle(folder);
    load(bundle, entry);
    expect(bundle.hasCompiled).toBe(true);
    bundle.keep(false);
    const { warm, code } = readCodeCache(cache);
    expect(warm).toBe(false);
    expect([...code.keys()].sort()).toEqual(['entry-1.cjs', entry]);
  });

  it.each([0, 4, 100])('goes on without a cache that is cut to %d bytes', (bytes) => {
    const entry = writeBundle(1);
    keepOnce(entry);
    truncateSync(cache, bytes);
    const bundle = new Bundle(folder);
    expect(load(bundle, entry).part()).toBe(1);
    expect(bundle.hasCompiled).toBe(true);
  });

  it('goes on without compiled code that this Node.js refuses', () => {
    const entry = writeBundle(1);
    // Something that was compiled in this process before would not be looked at.
    writeCodeCache(cache, { warm: true, code: new Map([[entry, Buffer.alloc(512, 0xff)]]) });
    const bundle = new Bundle(folder);
    expect(load(bundle, entry).part()).toBe(1);
    expect(bundle.hasCompiled).toBe(true);
  });

  it('runs nothing that others may have written', () => {
    const entry = writeBundle(1);
    keepOnce(entry);
    chmodSync(cache, 0o666);
    expect(readCodeCache(cache).code.size).toBe(0);
  });

  it("keeps code with what is the user's own where the package cannot be written", () => {
    const entry = writeBundle(1);
    // Not even root writes here.
    rmSync(cache, { force: true });
    const bundle = new Bundle('/proc/self');
    bundle.keep(true);
    expect(existsSync(join(root, 'cache', 'tsvmm', `code-${process.version}`))).toBe(true);
    expect(load(new Bundle(folder), entry).part()).toBe(1);
  });

  it('says nothing where code can be kept nowhere', () => {
    vi.stubEnv('XDG_CACHE_HOME', '/proc/nowhere');
    expect(() => new Bundle('/proc/self').keep(true)).not.toThrow();
  });
});
