import { ascii, join, u32, u64, u8, zeros } from './fields.ts';

/** Bytes, and what its address must be a multiple of. */
export const FACS_SIZE = 64;

/**
 * The table the guest may write to: waking vectors and the global lock, both unused here, yet a
 * machine that is not hardware-reduced has to have it.
 *
 * @see ACPI 6.5 §5.2.10
 */
export function buildFacs(): Uint8Array {
  return join([
    ascii('FACS', 4),
    u32(FACS_SIZE),
    u32(0), // hardware signature
    u32(0), // firmware waking vector
    u32(0), // global lock
    u32(0), // flags
    u64(0), // X firmware waking vector
    u8(2), // version
    zeros(3),
    u32(0), // OSPM flags
    zeros(24),
  ]);
}
