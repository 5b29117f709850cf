import { readFileSync } from 'node:fs';
import { log } from '../log.ts';
import { isPowerOfTwo, KIB, MIB, PAGE_SIZE } from '../units.ts';

const HPAGE_PMD_SIZE = '/sys/kernel/mm/transparent_hugepage/hpage_pmd_size';

/** What a PMD maps where the kernel does not say, by architecture and base page size. */
function fallbackSize(arch: string, pageSize: number): number {
  if (arch === 'x64') return 2 * MIB;
  if (arch === 'arm64') {
    if (pageSize === 4 * KIB) return 2 * MIB;
    if (pageSize === 16 * KIB) return 32 * MIB;
    if (pageSize === 64 * KIB) return 512 * MIB;
  }
  return MIB;
}

/**
 * Size of a transparent huge page, in bytes. Discarding less than one would split it.
 *
 * @param path      the kernel's file; a parameter so that tests can point at made-up ones
 * @param arch      as `process.arch`
 * @param pageSize  base page size in bytes
 * @returns what the file says, or the architecture's size (with a warning) where it says nothing usable
 */
export function probeThpSize(
  path = HPAGE_PMD_SIZE,
  arch: string = process.arch,
  pageSize = PAGE_SIZE,
): number {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch {
    text = 'unreadable';
  }
  const size = /^\d+$/.test(text) ? Number(text) : 0;
  if (isPowerOfTwo(size)) return size;
  const fallback = fallbackSize(arch, pageSize);
  log('memory').warn(
    { path, value: text, fallback },
    'THP size unknown, using the architecture default',
  );
  return fallback;
}

let known: number | undefined;

/** The host's THP size in bytes, read once. */
export function thpSize(): number {
  known ??= probeThpSize();
  return known;
}
