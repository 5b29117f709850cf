import { readU64 } from '../../bytes.ts';
import type { SpecialRegisters } from '../../kvm/registers.ts';
import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';

/** EFER.LMA, CR4.LA57: four or five levels of tables (Intel SDM 3A §4.5). */
const LONG_MODE = 1n << 10n;
const LA57 = 1n << 12n;
const TABLE = 0x000f_ffff_ffff_f000n;
const ENTRY_BYTES = 8;
const PRESENT = 1;
const LEAF = 1 << 7;

/**
 * Walks the guest's page tables where KVM could not.
 *
 * @param linear  what to translate, in 64-bit mode: in others tables lie below device memory
 * @returns gpa of the first table entry that is not in memory; undefined when there is none
 */
export function unreachableEntry(
  linear: bigint,
  { cr3, cr4, efer }: Pick<SpecialRegisters, 'cr3' | 'cr4' | 'efer'>,
  memory: GuestMemoryAccess,
): number | undefined {
  if ((efer & LONG_MODE) === 0n) return undefined;
  const bytes = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  let table = cr3 & TABLE;
  for (let level = (cr4 & LA57) === 0n ? 4 : 5; level > 0; level--) {
    const index = (linear >> BigInt(12 + 9 * (level - 1))) & 0x1ffn;
    const gpa = Number(table) + Number(index) * ENTRY_BYTES;
    if (!memory.read(gpa, bytes, ENTRY_BYTES)) return gpa;
    const flags = view.getUint16(0, true);
    if ((flags & PRESENT) === 0 || (flags & LEAF) !== 0) return undefined;
    table = BigInt(readU64(view, 0) % 2 ** 52) & TABLE;
  }
  return undefined;
}
