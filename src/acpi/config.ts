import { ConfigError } from '../errors.ts';
import { GPA_LIMIT, hex } from '../units.ts';

/** A range of guest-physical addresses. */
export interface AddressWindow {
  readonly base: number;
  /** Bytes, above 0. */
  readonly size: number;
}

/** What the tables describe, beyond the fixed address map of `memory/layout.ts`. */
export interface AcpiConfig {
  /** APIC id of each vCPU; the index is its ACPI processor UID, the first is the boot processor. */
  readonly apicIds: readonly number[];
  /** Whether COM1 exists. */
  readonly serial: boolean;
  /** Where 64-bit BARs may go, above 4 GiB, beside the 32-bit window. */
  readonly mmio64?: AddressWindow | undefined;
}

/** Processor devices have names of three hexadecimal digits. */
export const MAX_CPUS = 4096;
/** 0xffffffff names all processors. */
const APIC_ID_LIMIT = 0xffff_ffff;

/** @throws ConfigError naming what cannot be described */
export function checkAcpiConfig(config: AcpiConfig): void {
  const { apicIds, mmio64 } = config;
  if (apicIds.length < 1 || apicIds.length > MAX_CPUS) {
    throw new ConfigError('BAD_CPUS', `cpus=${apicIds.length}: 1 to ${MAX_CPUS} can be described`);
  }
  for (const id of apicIds) {
    if (!Number.isInteger(id) || id < 0 || id >= APIC_ID_LIMIT) {
      throw new ConfigError('BAD_APIC_ID', `APIC id ${id}: not from 0 to ${APIC_ID_LIMIT - 1}`);
    }
  }
  if (new Set(apicIds).size !== apicIds.length) {
    throw new ConfigError('BAD_APIC_ID', `APIC ids ${apicIds.join(', ')}: one is given twice`);
  }
  if (mmio64 === undefined) return;
  const end = mmio64.base + mmio64.size;
  if (mmio64.base < 2 ** 32 || mmio64.size <= 0 || end > GPA_LIMIT) {
    const range = `${hex(mmio64.base)} + ${hex(mmio64.size)}`;
    throw new ConfigError('BAD_MMIO64', `64-bit PCI window ${range}: not between 2^32 and 2^52`);
  }
}
