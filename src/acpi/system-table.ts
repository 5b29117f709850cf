import { ascii, type Field, inRow, join, u32, u8 } from './fields.ts';

/** Bytes of the header that every table but RSDP and FACS begins with. */
export const HEADER_SIZE = 36;
export const OEM_ID = 'TSVMM';
const CREATOR_ID = 'TSVM';
const CHECKSUM_OFFSET = 9;

/** The byte that makes all of them add up to zero (mod 256) when it takes the place of a zero. */
export function checksumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}

/**
 * A system description table: header, body, checksum.
 *
 * @param signature  four characters
 * @param revision   of this table's format
 * @see ACPI 6.5 §5.2.6
 */
export function systemTable(
  signature: string,
  revision: number,
  body: readonly Field[],
): Uint8Array {
  const content = inRow(...body);
  const table = join([
    ascii(signature, 4),
    u32(HEADER_SIZE + content.length),
    u8(revision),
    u8(0), // the checksum, below
    ascii(OEM_ID, 6),
    ascii(`${OEM_ID}${signature.slice(0, 3)}`, 8),
    u32(1), // OEM revision
    ascii(CREATOR_ID, 4),
    u32(1), // creator revision
    content,
  ]);
  table[CHECKSUM_OFFSET] = checksumOf(table);
  return table;
}
