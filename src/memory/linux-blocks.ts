import { alignDown, alignUp, formatSize, GIB, MIB } from '../units.ts';
import { ramRanges } from './layout.ts';

/** What Linux adds and removes memory by, on x86-64, in bytes. */
const SMALLEST = 128 * MIB;
const LARGEST = 2 * GIB;
/** Boot memory that ends here or above has larger ones. */
const LARGE_FROM = 64 * GIB;

/** Exclusive end of boot memory. */
function ramEnd(ramSize: number): number {
  const last = ramRanges(ramSize).at(-1);
  return last === undefined ? 0 : last.gpa + last.size;
}

/**
 * Size of the memory blocks of a Linux guest, in bytes: it adds and removes only whole ones.
 *
 * @param ramSize  boot memory, in bytes
 * @see Linux, arch/x86/mm/init_64.c, probe_memory_block_size()
 */
export function linuxMemoryBlock(ramSize: number): number {
  const end = ramEnd(ramSize);
  if (end < LARGE_FROM) return SMALLEST;
  let size = LARGEST;
  while (size > SMALLEST && end % size !== 0) size /= 2;
  return size;
}

/**
 * What automatic places of device memory are multiples of, so that it fills memory blocks: of the
 * largest that a guest with that much boot memory may have, whatever the end of it is.
 */
export function linuxBlockAlignment(ramSize: number): number {
  return ramEnd(ramSize) < LARGE_FROM ? SMALLEST : LARGEST;
}

/** What of a region of device memory a Linux guest can use. */
export interface LinuxFit {
  /** What it adds and removes of the region at once, in bytes. */
  readonly blockSize: number;
  /** Bytes of the region that fill such blocks. */
  readonly usableSize: number;
}

/**
 * @param region    guest-physical address and bytes, and of what the guest may plug and unplug
 * @param memoryBlock  of the guest, in bytes
 */
export function linuxFit(
  region: { readonly memaddr: number; readonly size: number; readonly blockSize: number },
  memoryBlock: number,
): LinuxFit {
  const blockSize = Math.max(region.blockSize, memoryBlock);
  const start = alignUp(region.memaddr, blockSize);
  const end = alignDown(region.memaddr + region.size, blockSize);
  return { blockSize, usableSize: Math.max(0, end - start) };
}

/** What a Linux guest cannot use of a region, for people; undefined when it can use all of it. */
export function describeMisfit(
  { blockSize, usableSize }: LinuxFit,
  size: number,
): string | undefined {
  if (usableSize === size) return undefined;
  const rest = formatSize(size - usableSize);
  return `a Linux guest adds memory in whole blocks of ${formatSize(blockSize)}, and ${rest} of the ${formatSize(size)} fill none`;
}
