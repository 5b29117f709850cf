import { VirtioMem } from '../devices/virtio-mem/device.ts';
import { PluggedMemory } from '../devices/virtio-mem/plugged-memory.ts';
import type { VirtioMemProperties } from '../devices/virtio-mem/properties.ts';
import type { Backing } from '../memory/backing.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import { MemslotContainer } from '../memory/memslot-container.ts';
import type { MemslotTable } from '../memory/memslot-table.ts';
import { messageOf } from '../errors.ts';
import { log } from '../log.ts';
import type { GuardedRegion } from './violations/unplugged-guard.ts';
import { backendPath, type MemoryBackend, type MemoryBackends } from './memory-backends.ts';
import type { ChargedMemory } from './memory-limit-watch.ts';
import { checkMemslots, misfitOf, windowSizes } from './memory-placement.ts';

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

/** Makes the devices; their memory belongs to the backends. @throws ConfigError, HostError */
export function createMemoryDevices(
  placed: readonly VirtioMemProperties[],
  context: MemoryDeviceContext,
): readonly MemoryDevice[] {
  const { capacity, available } = context.table;
  const sizes = windowSizes(placed, available);
  checkMemslots(placed, sizes, { capacity, available });
  for (const misfit of placed.flatMap(misfitOf)) log('machine').warn({}, misfit);
  return placed.map((properties, at) => {
    const windowSize = sizes[at] ?? properties.size;
    return createMemoryDevice(properties, windowSize, context);
  });
}

function createMemoryDevice(
  properties: VirtioMemProperties,
  windowSize: number,
  context: MemoryDeviceContext,
): MemoryDevice {
  const { id, size, blockSize, memaddr, memdev, dynamicMemslots } = properties;
  const { backends } = context;
  context.table.promise(Math.ceil(size / windowSize), id);
  const access = properties.protectUnplugged ? 'none' : 'read-write';
  const backend =
    memdev === undefined
      ? backends.make('mem', size, id, { size: blockSize, access })
      : backends.take(memdev, id);
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
  if (!dynamicMemslots) container.activate(0);
  const plugged = new PluggedMemory({
    id,
    gpa: memaddr,
    blockSize,
    backing,
    container,
    dynamicMemslots,
    prealloc: properties.prealloc,
    protectWith: properties.protectUnplugged ? backends.mappings : undefined,
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

/** What the guest may come to hold of memory that cgroups count. */
export function chargedMemory(
  backends: readonly MemoryBackend[],
  devices: readonly MemoryDevice[],
): ChargedMemory {
  const ofDevices = devices.filter(({ backing }) => backing.isCharged);
  const ofGuest = backends.filter(({ backing, user }) => user !== undefined && backing.isCharged);
  const boot = ofGuest.filter((it) => ofDevices.every(({ backing }) => backing !== it.backing));
  const sizes = (all: readonly MemoryBackend[]): number =>
    all.reduce((sum, { backing }) => sum + backing.size, 0);
  const requested = (all: readonly MemoryDevice[]): number =>
    all.reduce((sum, { device }) => sum + device.sizes.requestedSize, 0);
  return {
    boot: sizes(boot),
    requested: requested(ofDevices),
    untouched:
      sizes(boot.filter(({ spec }) => !spec.prealloc)) +
      requested(ofDevices.filter(({ device }) => !device.properties.prealloc)),
  };
}

/** The regions of which a guest can reach only what is plugged. */
export function guardedRegions(devices: readonly MemoryDevice[]): readonly GuardedRegion[] {
  return devices
    .filter(({ device }) => device.memory.isProtected)
    .map(({ device: { properties, memory } }) => ({
      id: properties.id,
      gpa: properties.memaddr,
      size: properties.size,
      showZeros: (offset: number) => memory.showZeros(offset),
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
