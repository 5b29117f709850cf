import { CAPABILITY } from '../kvm/capabilities.ts';
import { KvmSystem } from '../kvm/system.ts';
import { layRam } from '../memory/layout.ts';
import { memslotMetadataBytes, whenNesting, type MetadataModel } from '../memory/memslot-cost.ts';
import { deviceSlots, extraRamSlots } from '../memory/memslot-table.ts';
import type { VirtioMemProperties } from '../devices/virtio-mem/properties.ts';
import type { BackingSpec } from '../memory/backing/spec.ts';
import { HostError } from '../errors.ts';
import { formatSize, GIB, PAGE_SIZE } from '../units.ts';
import type { MachineConfig } from './config/machine-config.ts';
import { physicalAddressBits } from './cpuid.ts';
import { describeModel, inspectHostKvm, metadataModel } from './host-kvm.ts';
import {
  checkMemslots,
  misfitOf,
  placeMemoryDevices,
  windowSizes,
  type BackendFacts,
} from './memory-placement.ts';

/** What Linux keeps of every page that it has (struct page), in bytes. */
const MEMMAP_BYTES = 64;
/** More movable memory for each byte that is not gets a guest into trouble. */
const MOVABLE_RATIO = 3;

export interface PlannedRegion {
  readonly name: string;
  readonly gpa: number;
  readonly size: number;
}

/** What KVM takes for the memslots of a device, in bytes of host memory. */
export interface DeviceMetadata {
  /** As one slot that is always there. */
  readonly staticMetadata: number;
  /** For each plugged GiB. */
  readonly metadataPerGib: number;
}

/** What KVM takes for all memslots, in bytes of host memory. */
export interface PlannedMetadata {
  readonly atStart: number;
  readonly allPlugged: number;
}

/** A memory device as it would be; sizes in bytes. */
export interface PlannedDevice extends DeviceMetadata {
  readonly id: string;
  readonly memaddr: number;
  readonly size: number;
  readonly requestedSize: number;
  readonly blockSize: number;
  readonly dynamicMemslots: boolean;
  readonly memslotSize: number;
  /** With everything plugged. */
  readonly memslots: number;
  /** Once the guest has run a guest of its own; the same where it cannot. */
  readonly whenNesting: DeviceMetadata;
  /** What a Linux guest takes from other memory to add all of it. */
  readonly guestMemmap: number;
}

/** What a machine would be on this host, before it is made. */
export interface Plan {
  readonly host: {
    readonly kvm: string;
    readonly memslots: number;
    readonly addressBits: number;
  };
  readonly regions: readonly PlannedRegion[];
  /** Exclusive. */
  readonly end: number;
  /** Of boot memory. */
  readonly ramMemslots: number;
  readonly devices: readonly PlannedDevice[];
  readonly metadata: PlannedMetadata & {
    /** Once the guest has run a guest of its own; the same where it cannot. */
    readonly whenNesting: PlannedMetadata;
  };
  readonly warnings: readonly string[];
  /** For the command line of a Linux guest. */
  readonly guestOptions: string;
}

/** What a plan is for: a host's KVM. */
export interface PlanHost {
  /** That KVM has. */
  readonly memslots: number;
  /** Of guest-physical addresses. */
  readonly addressBits: number;
  readonly model: MetadataModel;
}

/** @throws HostError, KvmError when there is none */
function lookAtKvm(): PlanHost {
  const kvm = KvmSystem.open();
  try {
    return {
      memslots: kvm.checkExtension(CAPABILITY.NR_MEMSLOTS),
      addressBits: physicalAddressBits(kvm.supportedCpuid()),
      model: metadataModel(inspectHostKvm()),
    };
  } finally {
    kvm.close();
  }
}

/** Backends that are not opened: a plan takes no memory. */
async function factsOf(specs: readonly BackingSpec[]): Promise<BackendFacts> {
  if (specs.length === 0) return { get: noBackend };
  const { inspectPath } = await import('../memory/backing/file-facts.ts');
  const pageSize = (spec: BackingSpec): number => {
    if (spec.type === 'memfd' && spec.hugePageSize > 0) return spec.hugePageSize;
    return spec.type === 'file' ? inspectPath(spec.path).pageSize : PAGE_SIZE;
  };
  return {
    get: (id) => {
      const spec = specs.find((it) => it.id === id);
      if (spec === undefined) return noBackend(id);
      const sharedZeropage = spec.type === 'ram' && !spec.share;
      return { backing: { pageSize: pageSize(spec), sharedZeropage } };
    },
  };
}

function noBackend(id: string): never {
  throw new HostError('NO_BACKEND', `there is no memory backend ${id}`);
}

/**
 * Places everything as a machine would, and adds up what it costs.
 *
 * @param host  whose KVM it is for; a parameter for tests
 * @throws (rejects with) ConfigError for what cannot be, with the arithmetic; HostError without KVM
 */
export async function planMachine(config: MachineConfig, host = lookAtKvm()): Promise<Plan> {
  const { memslots, addressBits, model } = host;
  const placed = placeMemoryDevices(config.virtioMem, {
    ramSize: config.memorySize,
    addressLimit: 2 ** addressBits,
    nodeCount: config.numa?.nodes.length ?? 0,
    backends: await factsOf(config.memoryBackends),
  });
  const ramSlots = layRam(bootMemoryParts(config)).map(({ size }) => size);
  const available = Math.max(0, deviceSlots(memslots) - extraRamSlots(ramSlots.length));
  const windows = windowSizes(placed, available);
  checkMemslots(placed, windows, { capacity: memslots, available });
  const devices = placed.map((properties, at) => {
    return planDevice(properties, windows[at] ?? properties.size, model);
  });
  const advice = advise(config.memorySize, devices);
  const regions = [
    ...ramRegions(config),
    ...devices.map(({ id, memaddr, size }) => ({ name: id, gpa: memaddr, size })),
  ].sort((a, b) => a.gpa - b.gpa);
  const always = devices.filter((it) => !it.dynamicMemslots).map(({ size }) => size);
  const metadata = (of: MetadataModel): PlannedMetadata => ({
    atStart: cost([...ramSlots, ...always], of),
    allPlugged: cost([...ramSlots, ...devices.map(({ size }) => size)], of),
  });
  return {
    host: { kvm: describeModel(model), memslots, addressBits },
    regions,
    end: Math.max(...regions.map(({ gpa, size }) => gpa + size)),
    ramMemslots: ramSlots.length,
    devices,
    metadata: { ...metadata(model), whenNesting: metadata(whenNesting(model)) },
    warnings: [...placed.flatMap(misfitOf), ...advice.warnings],
    guestOptions: advice.guestOptions,
  };
}

const cost = (sizes: readonly number[], model: MetadataModel): number =>
  sizes.reduce((all, size) => all + memslotMetadataBytes(size, model), 0);

function deviceMetadata(size: number, model: MetadataModel): DeviceMetadata {
  return { staticMetadata: cost([size], model), metadataPerGib: cost([GIB], model) };
}

function planDevice(
  properties: VirtioMemProperties,
  memslotSize: number,
  model: MetadataModel,
): PlannedDevice {
  const { id, memaddr, size, requestedSize, blockSize, dynamicMemslots } = properties;
  return {
    ...{ id, memaddr, size, requestedSize, blockSize },
    dynamicMemslots,
    memslotSize,
    memslots: Math.ceil(size / memslotSize),
    ...deviceMetadata(size, model),
    whenNesting: deviceMetadata(size, whenNesting(model)),
    guestMemmap: (size / PAGE_SIZE) * MEMMAP_BYTES,
  };
}

/** Sizes of what boot memory is one after the other: of all, or of each node when any has its own. */
function bootMemoryParts({ memorySize, numa }: MachineConfig): readonly number[] {
  const nodes = numa?.nodes ?? [];
  const isInParts = nodes.some(({ memdev }) => memdev !== undefined);
  return isInParts ? nodes.map((node) => node.memorySize) : [memorySize];
}

function ramRegions({ memorySize, numa }: MachineConfig): readonly PlannedRegion[] {
  const sizes = numa?.nodes.map((node) => node.memorySize) ?? [memorySize];
  return layRam(sizes).map(({ part, gpa, size }) => {
    return { name: numa === undefined ? 'RAM' : `RAM of node ${part}`, gpa, size };
  });
}

/** What a Linux guest of this shape will run into. */
function advise(
  bootMemory: number,
  devices: readonly PlannedDevice[],
): Pick<Plan, 'warnings' | 'guestOptions'> {
  const total = devices.reduce((all, { size }) => all + size, 0);
  if (total === 0) return { warnings: [], guestOptions: '' };
  const warnings: string[] = [];
  const memmap = (total / PAGE_SIZE) * MEMMAP_BYTES;
  const boot = formatSize(bootMemory);
  if (2 * memmap > bootMemory) {
    const need = `${formatSize(memmap)} (${MEMMAP_BYTES} B for each of ${total / PAGE_SIZE} pages)`;
    warnings.push(
      `to add all ${formatSize(total)} the guest needs ${need} of other memory, and boots with ${boot}: give it more with --memory, or let a part of what it adds be kernel memory`,
    );
  }
  const ratio = total / bootMemory;
  if (ratio <= MOVABLE_RATIO) {
    return { warnings, guestOptions: 'memhp_default_state=online_movable' };
  }
  warnings.push(
    `all of it movable would be ${ratio.toFixed(1)} times boot memory (${formatSize(total)} to ${boot}), past the ${MOVABLE_RATIO} that are safe: the kernel could run out of memory that it can use itself`,
  );
  const policy = 'memory_hotplug.online_policy=auto-movable';
  const limit = `memory_hotplug.auto_movable_ratio=${MOVABLE_RATIO * 100 + 1}`;
  return { warnings, guestOptions: `memhp_default_state=online ${policy} ${limit}` };
}
