import type { CpuidTable } from '../kvm/addon.ts';

/** One leaf of CPUID: what EAX and ECX select, and what comes back. */
export interface CpuidEntry {
  readonly leaf: number;
  readonly subleaf: number;
  /** KVM_CPUID_FLAG_*. */
  readonly flags: number;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

const WORDS = 7;
const FLAG_SIGNIFICANT_INDEX = 1;

const LEAF = {
  features: 0x1,
  cacheIntel: 0x4,
  topology: 0xb,
  topologyV2: 0x1f,
  featuresExtended: 0x8000_0001,
  cacheSizes: 0x8000_0006,
  addressSizes: 0x8000_0008,
  cacheAmd: 0x8000_001d,
  topologyAmd: 0x8000_001e,
} as const;

const ECX_TSC_DEADLINE = 1 << 24;
const ECX_HYPERVISOR = 1 << 31;
const EDX_HTT = 1 << 28;
const ECX_CMP_LEGACY = 1 << 1;

export function decodeCpuid(table: CpuidTable): CpuidEntry[] {
  const entries: CpuidEntry[] = [];
  for (let at = 0; at + WORDS <= table.length; at += WORDS) {
    const word = (index: number): number => table[at + index] ?? 0;
    const selects = { leaf: word(0), subleaf: word(1), flags: word(2) };
    entries.push({ ...selects, eax: word(3), ebx: word(4), ecx: word(5), edx: word(6) });
  }
  return entries;
}

export function encodeCpuid(entries: readonly CpuidEntry[]): CpuidTable {
  const table = new Uint32Array(entries.length * WORDS);
  for (const [index, it] of entries.entries()) {
    table.set([it.leaf, it.subleaf, it.flags, it.eax, it.ebx, it.ecx, it.edx], index * WORDS);
  }
  return table;
}

/** Bits of a guest-physical address, as CPUID 0x80000008 tells the guest. */
export function physicalAddressBits(table: CpuidTable): number {
  const entry = decodeCpuid(table).find((it) => it.leaf === LEAF.addressSizes);
  // Without the leaf a processor has 36 bits (Intel SDM vol. 3, §4.1.4).
  return entry === undefined ? 36 : entry.eax & 0xff;
}

export interface Topology {
  /** vCPUs of the machine: one thread per core. */
  readonly cpus: number;
  /** How many of them make a package, which shares a third-level cache: all, or a power of two. */
  readonly packageCpus: number;
  /** Whether KVM emulates the TSC-deadline timer (KVM_CAP_TSC_DEADLINE_TIMER). */
  readonly tscDeadline: boolean;
}

/** Number of bits that hold `count` different ids. */
function idBits(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1);
}

/**
 * CPUID of one vCPU: what KVM supports on this host, with the VM's own topology.
 *
 * @param supported  KVM_GET_SUPPORTED_CPUID
 * @param apicId     of the vCPU, also its index
 */
export function cpuidFor(supported: CpuidTable, apicId: number, topology: Topology): CpuidTable {
  const bits = idBits(topology.packageCpus);
  const entries = decodeCpuid(supported).filter(
    ({ leaf }) => leaf !== LEAF.topology && leaf !== LEAF.topologyV2,
  );
  for (const entry of entries) adapt(entry, apicId, topology, bits);
  if (topology.packageCpus < topology.cpus) hideSharedCache(entries);
  const flags = FLAG_SIGNIFICANT_INDEX;
  const leaf = LEAF.topology;
  // Thread level: one per core. Core level: all of the package. Then the end (Intel SDM, CPUID 0BH).
  const thread = { leaf, subleaf: 0, flags, eax: 0, ebx: 1, ecx: 0x100, edx: apicId };
  const core = {
    leaf,
    subleaf: 1,
    flags,
    eax: bits,
    ebx: topology.packageCpus,
    ecx: 0x201,
    edx: apicId,
  };
  const end = { leaf, subleaf: 2, flags, eax: 0, ebx: 0, ecx: 2, edx: apicId };
  return encodeCpuid([...entries, thread, core, end]);
}

function adapt(entry: CpuidEntry, apicId: number, topology: Topology, bits: number): void {
  const { packageCpus: cpus } = topology;
  switch (entry.leaf) {
    case LEAF.features:
      entry.ebx = ((apicId & 0xff) << 24) | (Math.min(cpus, 255) << 16) | (entry.ebx & 0xffff);
      entry.ecx |= ECX_HYPERVISOR;
      if (topology.tscDeadline) entry.ecx |= ECX_TSC_DEADLINE;
      entry.edx = cpus > 1 ? entry.edx | EDX_HTT : entry.edx & ~EDX_HTT;
      break;
    case LEAF.featuresExtended:
      entry.ecx = cpus > 1 ? entry.ecx | ECX_CMP_LEGACY : entry.ecx & ~ECX_CMP_LEGACY;
      break;
    case LEAF.cacheIntel:
    case LEAF.cacheAmd:
      adaptCache(entry, cpus, bits);
      break;
    case LEAF.addressSizes:
      entry.ecx = (entry.ecx & ~0xf0ff) | (bits << 12) | (Math.min(cpus, 256) - 1);
      break;
    case LEAF.topologyAmd:
      entry.eax = apicId;
      entry.ebx = apicId & 0xff;
      entry.ecx = 0;
      break;
  }
}

/**
 * AMD's processors before family 17h, model 20h do not say who shares the third-level cache. Guests
 * know: a node of the processor, or eight APIC ids. Where that is not so there is no such cache.
 */
function hideSharedCache(entries: readonly CpuidEntry[]): void {
  const signature = entries.find(({ leaf }) => leaf === LEAF.features)?.eax ?? 0;
  const base = (signature >> 8) & 0xf;
  const family = base === 0xf ? base + ((signature >> 20) & 0xff) : base;
  const model = ((signature >> 12) & 0xf0) | ((signature >> 4) & 0xf);
  if (family > 0x17 || (family === 0x17 && model >= 0x20)) return;
  for (const entry of entries) if (entry.leaf === LEAF.cacheSizes) entry.edx = 0;
}

/** First and second level caches belong to a core, the third to all of the package. */
function adaptCache(entry: CpuidEntry, packageCpus: number, bits: number): void {
  const type = entry.eax & 0x1f;
  if (type === 0) return;
  const level = (entry.eax >> 5) & 7;
  const sharing = level >= 3 ? packageCpus : 1;
  const cores = entry.leaf === LEAF.cacheIntel ? 2 ** bits - 1 : 0;
  entry.eax = (entry.eax & 0x3fff) | (((sharing - 1) & 0xfff) << 14) | ((cores & 0x3f) << 26);
}
