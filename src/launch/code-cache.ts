import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Compiled code of several files. */
export interface CodeCache {
  /** Whether it was taken after a machine had run: what is not called is not compiled. */
  readonly warm: boolean;
  /** By the name of the file, which changes with its contents. */
  readonly code: ReadonlyMap<string, Buffer>;
}

const EMPTY: CodeCache = { warm: false, code: new Map() };

/*
 * The file: u32 number of entries, u32 whether it is warm; then for each entry u32 bytes of the name,
 * u32 bytes of the code, the name, padding, the code, padding. Code must be aligned to 8 bytes.
 */
const ALIGNMENT = 8;
const HEAD = 8;

const padding = (length: number): number => (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;

/**
 * Reads what writeCodeCache wrote.
 *
 * @returns nothing of a file that is missing, cut, or that another user may have written: what is in
 *   it runs unchecked
 */
export function readCodeCache(path: string): CodeCache {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    return isTrusted(file) ? parse(readFileSync(file)) : EMPTY;
  } catch {
    return EMPTY;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function isTrusted(file: number): boolean {
  const { uid, mode } = fstatSync(file);
  const isOurs = uid === 0 || uid === process.geteuid?.();
  return isOurs && (mode & 0o022) === 0;
}

/** @throws RangeError when it ends too early */
function parse(bytes: Buffer): CodeCache {
  const code = new Map<string, Buffer>();
  const count = bytes.readUInt32LE(0);
  let at = HEAD;
  for (let entry = 0; entry < count; entry++) {
    const nameLength = bytes.readUInt32LE(at);
    const codeLength = bytes.readUInt32LE(at + 4);
    const nameAt = at + HEAD;
    const codeAt = nameAt + nameLength + padding(nameLength);
    at = codeAt + codeLength + padding(codeLength);
    if (at > bytes.length) throw new RangeError('the code cache is cut');
    const name = bytes.toString('latin1', nameAt, nameAt + nameLength);
    code.set(name, bytes.subarray(codeAt, codeAt + codeLength));
  }
  return { warm: bytes.readUInt32LE(4) !== 0, code };
}

function head(first: number, second: number): Buffer {
  const bytes = Buffer.alloc(HEAD);
  bytes.writeUInt32LE(first, 0);
  bytes.writeUInt32LE(second, 4);
  return bytes;
}

function encode({ warm, code }: CodeCache): Buffer {
  const parts = [head(code.size, Number(warm))];
  for (const [name, bytes] of code) {
    parts.push(head(name.length, bytes.length));
    parts.push(Buffer.from(name, 'latin1'), Buffer.alloc(padding(name.length)));
    parts.push(bytes, Buffer.alloc(padding(bytes.length)));
  }
  return Buffer.concat(parts);
}

/** Two at the most, and not by `recursive`: with that Node.js tries for ever in some places (/proc). */
function makeFolders(path: string): void {
  const folder = dirname(path);
  for (const each of [dirname(folder), folder]) {
    if (!existsSync(each)) mkdirSync(each);
  }
}

/**
 * Writes it whole or not at all, also when the power fails: a part of it could pass for all of it.
 *
 * @throws what the file system says
 */
export function writeCodeCache(path: string, cache: CodeCache): void {
  makeFolders(path);
  const temporary = `${path}.${process.pid}`;
  const file = openSync(temporary, 'wx', 0o644);
  try {
    writeFileSync(file, encode(cache));
    fsyncSync(file);
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  } finally {
    closeSync(file);
  }
}

/**
 * Where the code that this Node.js compiles may be kept, best first: with the package, for whoever may
 * write there; else with what is the user's own.
 *
 * @param folder  of the bundle
 */
export function codeCachePaths(folder: string): readonly string[] {
  const name = `code-${process.version}`;
  const { XDG_CACHE_HOME: cache = '', HOME: home = '' } = process.env;
  const own = cache.startsWith('/') ? cache : home.startsWith('/') ? join(home, '.cache') : '';
  return [join(folder, name), ...(own === '' ? [] : [join(own, 'tsvmm', name)])];
}
