import { ConfigError } from '../errors.ts';
import { GPA_LIMIT, hex } from '../units.ts';

/** A range of guest-physical addresses. */
export interface AddressWindow {
  readonly base: number;
  /** Bytes, above 0. */
  readonly size: number;
}

/** Memory of one node. */
export interface NodeMemory extends AddressWindow {
  readonly node: number;
  /** Whether the memory may come and go while the guest runs. */
  readonly hotPluggable: boolean;
}

/** What is near to what. Nodes are counted from 0. */
export interface AcpiNuma {
  /** Node of each vCPU, in the order of `apicIds`. */
  readonly cpuNodes: readonly number[];
  readonly memory: readonly NodeMemory[];
  /** As many rows and columns as there are nodes: `distances[from][to]`, 10 to 255. */
  readonly distances: readonly (readonly number[])[];
}

/** What the tables describe, beyond the fixed address map of `memory/layout.ts`. */
export interface AcpiConfig {
  /** APIC id of each vCPU; the index is its ACPI processor UID, the first is the boot processor. */
  readonly apicIds: readonly number[];
  /** Whether COM1 exists. */
  readonly serial: boolean;
  /** Where 64-bit BARs may go, above 4 GiB, beside the 32-bit window. */
  readonly mmio64?: AddressWindow | undefined;
  /** Absent: the machine has no nodes. */
  readonly numa?: AcpiNuma | undefined;
}

/** Processor devices have names of three hexadecimal digits. */
export const MAX_CPUS = 4096;
/** 0xffffffff names all processors. */
const APIC_ID_LIMIT = 0xffff_ffff;

/** @throws ConfigError naming what cannot be described */
export function checkAcpiConfig(config: AcpiConfig): void {
  const { apicIds, mmio64, numa } = config;
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
  if (numa !== undefined) checkNuma(numa, apicIds.length);
  if (mmio64 !== undefined) checkWindow(mmio64);
}

function checkNuma({ cpuNodes, memory, distances }: AcpiNuma, cpus: number): void {
  const count = distances.length;
  const refuse = (why: string): never => {
    throw new ConfigError('BAD_NUMA', `${count} NUMA nodes: ${why}`);
  };
  if (cpuNodes.length !== cpus) refuse(`${cpuNodes.length} of ${cpus} CPUs have one`);
  const nodes = [...cpuNodes, ...memory.map(({ node }) => node)];
  const stranger = nodes.find((node) => !Number.isInteger(node) || node < 0 || node >= count);
  if (stranger !== undefined) refuse(`there is no node ${stranger}`);
  if (distances.some((row) => row.length !== count)) refuse('not every distance is known');
}

function checkWindow(mmio64: AddressWindow): void {
  const end = mmio64.base + mmio64.size;
  if (mmio64.base < 2 ** 32 || mmio64.size <= 0 || end > GPA_LIMIT) {
    const range = `${hex(mmio64.base)} + ${hex(mmio64.size)}`;
    throw new ConfigError('BAD_MMIO64', `64-bit PCI window ${range}: not between 2^32 and 2^52`);
  }
}
