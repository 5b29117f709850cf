import type { NativeMapping } from '../addon.ts';
import type { Segment, SpecialRegisters } from '../registers.ts';

/** Segments of real mode that all begin at 0. */
export const REAL_MODE_FLAT = { base: 0n, selector: 0, limit: 0xffff };

/** Where the tables of long mode are, out of the way of the first 64 KiB. */
export const PML4 = 0x1_0000;
const PDPT = 0x1_1000;
const PAGE_DIRECTORY = 0x1_2000;
const TSS = 0x2_0000;
const TSS_BYTES = 104;
const IO_BITMAP_BYTES = 8192;

const PRESENT_WRITABLE_USER = 7n;
const HUGE = 1n << 7n;

/** Writes the page tables and the TSS. */
export function prepareUser64(memory: NativeMapping): void {
  const tables = new BigUint64Array(3 * 512);
  tables[0] = BigInt(PDPT) | PRESENT_WRITABLE_USER;
  tables[512] = BigInt(PAGE_DIRECTORY) | PRESENT_WRITABLE_USER;
  for (let i = 0; i < 512; i++) {
    tables[1024 + i] = (BigInt(i) << 21n) | HUGE | PRESENT_WRITABLE_USER;
  }
  memory.write(PML4, new Uint8Array(tables.buffer));
  const tss = new Uint8Array(TSS_BYTES + IO_BITMAP_BYTES + 1);
  // A bit of 0 permits a port; the last byte must be all ones.
  new DataView(tss.buffer).setUint16(102, TSS_BYTES, true);
  tss[TSS_BYTES + IO_BITMAP_BYTES] = 0xff;
  memory.write(TSS, tss);
}

/** Registers of long mode at CPL 3. */
export const user64Registers = (special: SpecialRegisters): SpecialRegisters =>
  longModeRegisters(special, 3);

/** Registers of long mode at CPL 0, which may use SVM. */
export function kernel64Registers(special: SpecialRegisters): SpecialRegisters {
  const registers = longModeRegisters(special, 0);
  return { ...registers, efer: registers.efer | EFER_SVME };
}

const EFER_SVME = 1n << 12n;

function longModeRegisters(special: SpecialRegisters, cpl: number): SpecialRegisters {
  const data: Segment = {
    selector: 0x20 | cpl,
    base: 0n,
    limit: 0xffff_ffff,
    type: 3,
    present: 1,
    dpl: cpl,
    db: 1,
    s: 1,
    l: 0,
    g: 1,
    avl: 0,
  };
  const code: Segment = { ...data, selector: 0x18 | cpl, type: 0xb, db: 0, l: 1 };
  const tr: Segment = {
    ...data,
    selector: 0x28,
    base: BigInt(TSS),
    limit: TSS_BYTES + IO_BITMAP_BYTES,
    type: 0xb,
    dpl: 0,
    db: 0,
    s: 0,
    g: 0,
  };
  return {
    ...special,
    cs: code,
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    tr,
    idt: { base: 0n, limit: 0 },
    // PE, ET, PG; PAE; LME and LMA.
    cr0: 0x8000_0011n,
    cr3: BigInt(PML4),
    cr4: 0x20n,
    efer: 0x500n,
  };
}
