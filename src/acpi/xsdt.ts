import { u64 } from './fields.ts';
import { systemTable } from './system-table.ts';

/**
 * The list of tables.
 *
 * @param tables  gpa of each, the FADT first
 * @see ACPI 6.5 §5.2.8
 */
export function buildXsdt(tables: readonly number[]): Uint8Array {
  return systemTable('XSDT', 1, tables.map(u64));
}
