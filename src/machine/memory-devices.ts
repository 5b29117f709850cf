import { VirtioMem } from '../devices/virtio-mem/device.ts';
import { PluggedMemory } from '../devices/virtio-mem/plugged-memory.ts';
import {
  resolveProperties,
  type VirtioMemOptions,
  type VirtioMemProperties,
} from '../devices/virtio-mem/properties.ts';
import type { Backing } from '../memory/backing.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import { deviceMemoryBase } from '../memory/layout.ts';
import { MappingBudget, spareMappings } from '../memory/mapping-budget.ts';
import { chooseWindowSize, MemslotContainer } from '../memory/memslot-container.ts';
import type { MemslotTable } from '../memory/memslot-table.ts';
import { thpSize } from '../memory/thp-size.ts';
import { ConfigError, messageOf } from '../errors.ts';
import { log } from '../log.ts';
import type { GuardedRegion } from './violations/unplugged-guard.ts';
import { alignUp, GIB, hex, PAGE_SIZE } from '../units.ts';
import { backendPath, type MemoryBackends } from './memory-backends.ts';

/** A memory device with what it stands on. */
export interface MemoryDevice {
  readonly device: VirtioMem;
  readonly container: MemslotContainer;
  readonly backing: Backing;
  /** Path of the backend's object, as `/objects/mem0`. */
  readonly memdevPath: string;
}

export interface MemoryDeviceContext {
  readonly table: MemslotTable;
  readonly memory: GuestMemory;
  readonly backends: MemoryBackends;
}

/** What of a backend decides how a device may be cut. */
export interface BackendFacts {
  get(id: string): { readonly backing: Pick<Backing, 'pageSize' | 'sharedZeropage'> };
}

export interface PlacementContext {
  /** Boot memory, in bytes: device memory starts above it. */
  readonly ramSize: number;
  /** Exclusive end of what the guest can address, in bytes. */
  readonly addressLimit: number;
  /** NUMA nodes of the machine: 0 when it has none. */
  readonly nodeCount: number;
  readonly backends: BackendFacts;
}

/** What memory made for a device without a backend can do. */
const PLAIN = { pageSize: PAGE_SIZE, sharedZeropage: true };

/**
 * Checks all devices before anything is made, and gives each its place: the one the user named,
 * or the next free GiB.
 */
export function placeMemoryDevices(
  options: readonly VirtioMemOptions[],
  context: PlacementContext,
): readonly VirtioMemProperties[] {
  const { ramSize, addressLimit, nodeCount, backends } = context;
  const base = deviceMemoryBase(ramSize);
  const placed: VirtioMemProperties[] = [];
  for (const option of options) {
    const { memdev } = option;
    const { pageSize, sharedZeropage } =
      memdev === undefined ? PLAIN : backends.get(memdev).backing;
    const properties = resolveProperties(option, {
      thpSize: thpSize(),
      pageSize,
      sharedZeropage,
      nodeCount,
      nextAddress: nextFree(base, option.size, placed),
      addressLimit,
    });
    checkPlace(properties, base, placed);
    placed.push(properties);
  }
  return placed;
}

/** First GiB boundary from `base` on where `size` bytes are free. */
function nextFree(base: number, size: number, placed: readonly VirtioMemProperties[]): number {
  let address = base;
  for (const other of [...placed].sort((a, b) => a.memaddr - b.memaddr)) {
    if (address + size <= other.memaddr) break;
    address = Math.max(address, alignUp(other.memaddr + other.size, GIB));
  }
  return address;
}

function checkPlace(
  properties: VirtioMemProperties,
  base: number,
  placed: readonly VirtioMemProperties[],
): void {
  const { id, memaddr, size } = properties;
  const where = `--virtio-mem id=${id}: memaddr=${hex(memaddr)}`;
  if (memaddr < base) {
    const message = `${where}: below ${hex(base)}, where device memory starts`;
    throw new ConfigError('MEMORY_OVERLAP', message);
  }
  const other = placed.find((it) => memaddr < it.memaddr + it.size && it.memaddr < memaddr + size);
  if (other === undefined) return;
  const message = `${where} to ${hex(memaddr + size)} overlaps ${other.id} at ${hex(other.memaddr)}`;
  throw new ConfigError('MEMORY_OVERLAP', message);
}

/** How large each device's windows are, in bytes. @param available  memslots for all of them */
export function windowSizes(
  placed: readonly VirtioMemProperties[],
  available: number,
): readonly number[] {
  const statics = placed.filter((it) => !it.dynamicMemslots).length;
  const dynamics = placed.length - statics;
  const share = Math.floor((available - statics) / Math.max(1, dynamics));
  return placed.map(({ memslotSize, size, blockSize, dynamicMemslots }) => {
    return memslotSize ?? chooseWindowSize(size, blockSize, dynamicMemslots ? share : 1);
  });
}

/** Makes the devices; their memory belongs to the backends. @throws ConfigError, HostError */
export function createMemoryDevices(
  placed: readonly VirtioMemProperties[],
  context: MemoryDeviceContext,
): readonly MemoryDevice[] {
  const budget = placed.some((it) => it.protectUnplugged)
    ? new MappingBudget(spareMappings())
    : undefined;
  const sizes = windowSizes(placed, context.table.available);
  return placed.map((properties, at) => {
    const windowSize = sizes[at] ?? properties.size;
    return createMemoryDevice(properties, windowSize, { ...context, budget });
  });
}

function createMemoryDevice(
  properties: VirtioMemProperties,
  windowSize: number,
  context: MemoryDeviceContext & { readonly budget: MappingBudget | undefined },
): MemoryDevice {
  const { id, size, blockSize, memaddr, memdev } = properties;
  const { backends } = context;
  context.table.promise(Math.ceil(size / windowSize), id);
  const access = properties.protectUnplugged ? 'none' : 'read-write';
  const backend =
    memdev === undefined ? backends.make('mem', size, id, access) : backends.take(memdev, id);
  const { backing } = backend;
  const container = new MemslotContainer({
    table: context.table,
    backing,
    gpa: memaddr,
    windowSize,
    owner: id,
    // Not against the user's word, nor where a memslot is all that keeps the guest out.
    mayShare: properties.memslotSize === undefined && properties.protectUnplugged,
  });
  // A region that is all one window is a static slot, whatever was asked for.
  const dynamic = properties.dynamicMemslots && container.windowCount > 1;
  if (!dynamic) container.activate(0);
  const plugged = new PluggedMemory({
    id,
    gpa: memaddr,
    blockSize,
    backing,
    container,
    dynamicMemslots: dynamic,
    prealloc: properties.prealloc,
    protectWith: properties.protectUnplugged ? context.budget : undefined,
  });
  context.memory.add({
    name: id,
    gpa: memaddr,
    size,
    mapping: backing.mapping,
    offset: 0,
    discards: plugged,
  });
  const device = new VirtioMem(properties, plugged, context.memory.holds);
  return { device, container, backing, memdevPath: backendPath(backend.id) };
}

/** The regions of which a guest can reach only what is plugged. */
export function guardedRegions(devices: readonly MemoryDevice[]): readonly GuardedRegion[] {
  return devices
    .filter(({ device }) => device.memory.isProtected)
    .map(({ device: { properties } }) => ({
      id: properties.id,
      gpa: properties.memaddr,
      size: properties.size,
    }));
}

/** Memory that cannot be given back stays plugged; the guest sees that from the config space. */
export async function resetMemoryDevices(devices: readonly MemoryDevice[]): Promise<void> {
  for (const { device } of devices) {
    try {
      await device.resetMemory();
    } catch (error) {
      const fields = { id: device.id, error: messageOf(error) };
      log('machine').error(fields, 'reset could not unplug memory');
    }
  }
}
