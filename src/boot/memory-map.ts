import {
  BIOS_AREA_BASE,
  BIOS_AREA_SIZE,
  EBDA_BASE,
  ECAM_BASE,
  ECAM_SIZE,
  type RamRange,
} from '../memory/layout.ts';
import { HIGH_MEMORY_BASE } from './low-memory.ts';

/** Types of the BIOS's E820 call, which PVH shares. */
export const E820_RAM = 1;
export const E820_RESERVED = 2;

export interface MemoryMapEntry {
  readonly gpa: number;
  /** Bytes. */
  readonly size: number;
  readonly type: typeof E820_RAM | typeof E820_RESERVED;
}

/** End of the conventional memory of a PC. */
const VGA_BASE = 0xa_0000;

const entry = (start: number, end: number, type: MemoryMapEntry['type']): MemoryMapEntry => ({
  gpa: start,
  size: end - start,
  type,
});

/**
 * The memory map of the guest, sorted by address. Device memory is not part of it: its driver
 * adds what is plugged.
 *
 * @param ram  as `ramRanges` gives it: the first range begins at 0 and reaches over 1 MiB
 */
export function memoryMap(ram: readonly RamRange[]): readonly MemoryMapEntry[] {
  const map = [
    entry(0, EBDA_BASE, E820_RAM),
    entry(EBDA_BASE, VGA_BASE, E820_RESERVED),
    entry(BIOS_AREA_BASE, BIOS_AREA_BASE + BIOS_AREA_SIZE, E820_RESERVED),
    entry(ECAM_BASE, ECAM_BASE + ECAM_SIZE, E820_RESERVED),
    ...ram.map(({ gpa, size }) => entry(Math.max(gpa, HIGH_MEMORY_BASE), gpa + size, E820_RAM)),
  ];
  return map.filter(({ size }) => size > 0).sort((a, b) => a.gpa - b.gpa);
}
