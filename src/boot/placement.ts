import { ConfigError } from '../errors.ts';
import type { RamRange } from '../memory/layout.ts';
import { alignDown, formatSize, hex, PAGE_SIZE } from '../units.ts';
import type { BootFile } from './boot-file.ts';
import { HIGH_MEMORY_BASE, KEPT_FREE } from './low-memory.ts';

/** Guest memory that holds something. */
export interface LoadedRange {
  readonly gpa: number;
  /** Bytes. */
  readonly size: number;
}

/** Guest-physical addresses; `end` is exclusive. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

const totalSize = (ram: readonly RamRange[]): number =>
  ram.reduce((total, { size }) => total + size, 0);

/**
 * The RAM below the hole.
 *
 * @throws ConfigError when it does not reach over the legacy area
 */
export function lowRam(ram: readonly RamRange[]): RamRange {
  const low = ram.find(({ gpa }) => gpa === 0);
  if (low !== undefined && low.size > HIGH_MEMORY_BASE) return low;
  const size = formatSize(totalSize(ram));
  const least = formatSize(HIGH_MEMORY_BASE);
  throw new ConfigError(
    'BAD_MEMORY_SIZE',
    `memory: ${size} is too small, more than ${least} needed`,
  );
}

/**
 * Sees to it that the parts of a kernel can be loaded.
 *
 * @param parts  in any order, with what they are called in messages
 * @throws ConfigError when one is not in one range of RAM, or where something else must be
 */
export function checkPlacement(
  file: BootFile,
  ram: readonly RamRange[],
  parts: readonly (Extent & { readonly name: string })[],
): void {
  const needed = parts.reduce((total, { start, end }) => total + end - start, 0);
  if (needed > totalSize(ram)) {
    const available = formatSize(totalSize(ram));
    throw file.refuse(`it takes ${formatSize(needed)} of memory, the guest has ${available}`);
  }
  for (const { name, start, end } of parts) {
    const range = `${name} (${hex(start)} to ${hex(end)})`;
    if (!ram.some(({ gpa, size }) => gpa <= start && end <= gpa + size)) {
      const ranges = ram.map(({ gpa, size }) => `${hex(gpa)} to ${hex(gpa + size)}`);
      throw file.refuse(`${range} is outside the guest's RAM, ${ranges.join(' and ')}`);
    }
    const taken = KEPT_FREE.find((kept) => start < kept.end && kept.start < end);
    if (taken !== undefined) {
      const where = `${hex(taken.start)} to ${hex(taken.end)}`;
      throw file.refuse(`${range} overlaps ${taken.holds}, ${where}`);
    }
  }
}

/** What `taken` leaves free from 1 MiB to `end`, from the top down. */
function holes(end: number, taken: readonly Extent[]): Extent[] {
  const found: Extent[] = [];
  let top = end;
  for (const { start, end: takenEnd } of [...taken].sort((a, b) => b.start - a.start)) {
    if (takenEnd < top) found.push({ start: takenEnd, end: top });
    top = Math.min(top, start);
  }
  if (top > HIGH_MEMORY_BASE) found.push({ start: HIGH_MEMORY_BASE, end: top });
  return found
    .map(({ start, end: holeEnd }) => ({ start: Math.max(start, HIGH_MEMORY_BASE), end: holeEnd }))
    .filter(({ start, end: holeEnd }) => start < holeEnd);
}

export interface PlacedInitrd extends LoadedRange {
  readonly file: BootFile;
}

/**
 * Finds the highest page-aligned place for an initrd between 1 MiB and `end`.
 *
 * @param file   undefined, as the result is, when there is no initrd
 * @param taken  what the kernel needs; may reach over `end`
 * @throws ConfigError when no hole is large enough, with its size and that of the largest hole
 */
export function placeInitrd(
  file: BootFile | undefined,
  end: number,
  taken: readonly Extent[],
): PlacedInitrd | undefined {
  if (file === undefined) return undefined;
  const free = holes(end, taken);
  for (const hole of free) {
    const gpa = alignDown(hole.end - file.sizeBytes, PAGE_SIZE);
    if (gpa >= hole.start) return { file, gpa, size: file.sizeBytes };
  }
  const largest = Math.max(0, ...free.map(({ start, end: holeEnd }) => holeEnd - start));
  throw file.refuse(
    `its ${formatSize(file.sizeBytes)} do not fit into the guest's memory: ` +
      `beside the kernel ${formatSize(largest)} are free below ${hex(end)}`,
  );
}
