import { ascii, join, u32, u64, u8, zeros } from './fields.ts';
import { checksumOf, OEM_ID } from './system-table.ts';

export const RSDP_SIZE = 36;
/** The part that ACPI 1.0 knew, which has a checksum of its own. */
const V1_SIZE = 20;

/**
 * The root pointer, ACPI 2.0 and later. No RSDT: whoever reads it knows the XSDT.
 *
 * @param xsdt  gpa
 * @see ACPI 6.5 §5.2.5.3
 */
export function buildRsdp(xsdt: number): Uint8Array {
  const rsdp = join([
    ascii('RSD PTR ', 8),
    u8(0), // checksum of the first 20 bytes
    ascii(OEM_ID, 6),
    u8(2), // revision
    u32(0), // RSDT
    u32(RSDP_SIZE),
    u64(xsdt),
    u8(0), // checksum of all
    zeros(3),
  ]);
  rsdp[8] = checksumOf(rsdp.subarray(0, V1_SIZE));
  rsdp[32] = checksumOf(rsdp);
  return rsdp;
}
