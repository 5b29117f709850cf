import { alignUp, GIB, MIB } from '../units.ts';

/*
 * The guest-physical address map.
 *
 *   0            … 3 GiB          RAM below the hole (a smaller guest has less)
 *   0xC000_0000  … 0xDFFF_FFFF    32-bit PCI BARs
 *   0xE000_0000  … 0xE00F_FFFF    ECAM: PCI Express configuration space of bus 0
 *   0xFEC0_0000                   I/O APIC
 *   0xFEE0_0000                   local APICs
 *   0xFFFB_C000  … 0xFFFB_FFFF    KVM's identity-map page and TSS (only for real-mode guests)
 *   4 GiB        …                the rest of RAM
 *   next GiB     …                device memory: one region per virtio-mem device, at multiples of
 *                                 its block size and of what Linux adds memory by
 */
export const LOW_RAM_LIMIT = 3 * GIB;
export const HIGH_RAM_BASE = 4 * GIB;
export const PCI_MMIO32_BASE = 0xc000_0000;
export const PCI_MMIO32_SIZE = 0x2000_0000;
export const ECAM_BASE = 0xe000_0000;
/** Buses that exist: 1 MiB of ECAM each. */
export const ECAM_BUSES = 1;
export const ECAM_SIZE = ECAM_BUSES * MIB;
export const IOAPIC_BASE = 0xfec0_0000;
export const LAPIC_BASE = 0xfee0_0000;
export const KVM_IDENTITY_MAP_BASE = 0xfffb_c000;
export const KVM_TSS_BASE = 0xfffb_d000;

/** Legacy regions inside the first MiB. */
export const EBDA_BASE = 0x9_fc00;
export const BIOS_AREA_BASE = 0xe_0000;
export const BIOS_AREA_SIZE = 0x2_0000;

/** Ports. */
export const PORTS = {
  i8042Data: 0x60,
  i8042Command: 0x64,
  rtcIndex: 0x70,
  rtcData: 0x71,
  systemControlA: 0x92,
  com1: 0x3f8,
  acpiPm1Event: 0x600,
  acpiPm1Control: 0x604,
  acpiPmTimer: 0x608,
  pciConfigAddress: 0xcf8,
  resetControl: 0xcf9,
  pciConfigData: 0xcfc,
  /** I/O BARs of PCI devices. */
  pciIoBase: 0xc000,
  pciIoSize: 0x4000,
} as const;

/** Interrupts, as GSIs: ISA interrupts are identity-mapped. */
export const GSIS = {
  com1: 4,
  rtc: 8,
  acpiSci: 9,
  /** INTx A to D of PCI slot n use the four lines from `pciIntxBase + (n % 2) * 4`. */
  pciIntxBase: 16,
  pciIntxCount: 8,
  /** From here on GSIs are MSI routes. */
  msiBase: 24,
} as const;

export interface RamRange {
  readonly gpa: number;
  /** Bytes. */
  readonly size: number;
}

/** Where `sizeBytes` of boot memory go: one range, or two around the hole. */
export function ramRanges(sizeBytes: number): readonly RamRange[] {
  const low = Math.min(sizeBytes, LOW_RAM_LIMIT);
  const ranges: RamRange[] = [{ gpa: 0, size: low }];
  if (sizeBytes > low) ranges.push({ gpa: HIGH_RAM_BASE, size: sizeBytes - low });
  return ranges;
}

/** A piece of a part of boot memory. */
export interface RamPiece extends RamRange {
  /** Index of the part. */
  readonly part: number;
  /** Bytes into the part. */
  readonly offset: number;
}

/**
 * Where boot memory that consists of parts goes, by address: one after the other, and a part around
 * the hole in two pieces.
 *
 * @param sizes  bytes of each part; 0 is fine
 */
export function layRam(sizes: readonly number[]): readonly RamPiece[] {
  const ranges = ramRanges(sizes.reduce((all, it) => all + it, 0));
  const pieces: RamPiece[] = [];
  let start = 0;
  for (const [part, size] of sizes.entries()) {
    let base = 0;
    for (const range of ranges) {
      const from = Math.max(start, base);
      const to = Math.min(start + size, base + range.size);
      const gpa = range.gpa + (from - base);
      if (from < to) pieces.push({ part, offset: from - start, gpa, size: to - from });
      base += range.size;
    }
    start += size;
  }
  return pieces;
}

/** Where device memory may start: the next GiB boundary above RAM, at 4 GiB or above. */
export function deviceMemoryBase(ramSizeBytes: number): number {
  const high = Math.max(0, ramSizeBytes - LOW_RAM_LIMIT);
  return alignUp(HIGH_RAM_BASE + high, GIB);
}
