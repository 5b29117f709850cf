import { ECAM_BASE, ECAM_BUSES } from '../memory/layout.ts';
import { u16, u64, u8, zeros } from './fields.ts';
import { systemTable } from './system-table.ts';

/**
 * Where PCI configuration space is in memory.
 *
 * @see PCI Firmware 3.3 §4.1.2
 */
export function buildMcfg(): Uint8Array {
  return systemTable('MCFG', 1, [
    zeros(8),
    u64(ECAM_BASE),
    u16(0), // segment
    u8(0), // first bus
    u8(ECAM_BUSES - 1), // last bus
    zeros(4),
  ]);
}
