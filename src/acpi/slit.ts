import type { AcpiNuma } from './config.ts';
import { u64, u8 } from './fields.ts';
import { systemTable } from './system-table.ts';

/**
 * How far memory is from node to node, row by row.
 *
 * @see ACPI 6.5 §5.2.17
 */
export function buildSlit({ distances }: AcpiNuma): Uint8Array {
  return systemTable('SLIT', 1, [u64(distances.length), ...distances.flat().map(u8)]);
}
