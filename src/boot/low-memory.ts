import { EBDA_BASE } from '../memory/layout.ts';
import { MIB, PAGE_SIZE } from '../units.ts';

/*
 * Where the loader puts what it hands to the kernel. The kernel copies all of it early on, or asks
 * the memory map to leave it alone; nothing is kept below 0x500, where PCs keep BIOS data.
 *
 *   0x0500            global descriptor table
 *   0x1000 … 0x1fff   PVH: start info, module list, memory map
 *   0x2000 … 0x2fff   Linux: boot_params
 *   0x3000 … 0x8fff   Linux: page tables
 *   0x1_0000 … 0x1_ffff   command line
 */
export const GDT_BASE = 0x500;
export const START_INFO_BASE = 0x1000;
export const START_INFO_AREA = PAGE_SIZE;
export const BOOT_PARAMS_BASE = 0x2000;
export const PAGE_TABLE_BASE = 0x3000;
export const COMMAND_LINE_BASE = 0x1_0000;
/** Bytes, the terminating zero included. */
export const COMMAND_LINE_AREA = 0x1_0000;
export const LOADER_AREA_END = COMMAND_LINE_BASE + COMMAND_LINE_AREA;

/** Where RAM continues after the legacy area. */
export const HIGH_MEMORY_BASE = MIB;

/** What a kernel must not be loaded to, although it is RAM. `end` is exclusive. */
export const KEPT_FREE = [
  { start: 0, end: LOADER_AREA_END, holds: 'what the loader hands over' },
  { start: EBDA_BASE, end: HIGH_MEMORY_BASE, holds: 'the BIOS area' },
] as const;
