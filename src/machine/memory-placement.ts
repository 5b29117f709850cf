import {
  resolveProperties,
  type VirtioMemOptions,
  type VirtioMemProperties,
} from '../devices/virtio-mem/properties.ts';
import { ConfigError, HostError } from '../errors.ts';
import type { Backing } from '../memory/backing.ts';
import { deviceMemoryBase } from '../memory/layout.ts';
import { describeMisfit, linuxBlockAlignment, linuxMemoryBlock } from '../memory/linux-blocks.ts';
import { chooseWindowSize } from '../memory/memslot-container.ts';
import { thpSize } from '../memory/thp-size.ts';
import { alignUp, formatSize, GIB, hex, PAGE_SIZE } from '../units.ts';

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

/** Guest-physical addresses that are taken. */
interface Place {
  readonly memaddr: number;
  readonly size: number;
}

/**
 * Checks all devices before anything is made, and gives each its place: the one the user named, or
 * the next that is free and that a Linux guest can use all of.
 */
export function placeMemoryDevices(
  options: readonly VirtioMemOptions[],
  context: PlacementContext,
): readonly VirtioMemProperties[] {
  const { ramSize, addressLimit, nodeCount, backends } = context;
  const base = deviceMemoryBase(ramSize);
  const alignment = Math.max(GIB, linuxBlockAlignment(ramSize));
  const named = options.flatMap(({ memaddr, size }) => {
    return memaddr === undefined ? [] : [{ memaddr, size }];
  });
  const placed: VirtioMemProperties[] = [];
  for (const option of options) {
    const { memdev, size } = option;
    const { pageSize, sharedZeropage } =
      memdev === undefined ? PLAIN : backends.get(memdev).backing;
    const properties = resolveProperties(option, {
      thpSize: thpSize(),
      memoryBlock: linuxMemoryBlock(ramSize),
      pageSize,
      sharedZeropage,
      nodeCount,
      nextAddress: (blockSize) =>
        nextFree(base, size, Math.max(alignment, blockSize), [...placed, ...named]),
      addressLimit,
    });
    checkPlace(properties, base, placed);
    placed.push(properties);
  }
  return placed;
}

/** What a Linux guest cannot use of a device, for people: none or one. */
export function misfitOf({ id, size, linuxFit }: VirtioMemProperties): readonly string[] {
  const misfit = describeMisfit(linuxFit, size);
  return misfit === undefined ? [] : [`${id}: ${misfit}`];
}

/** First multiple of `alignment` from `base` on where `size` bytes are free. */
function nextFree(base: number, size: number, alignment: number, taken: readonly Place[]): number {
  let address = alignUp(base, alignment);
  for (const other of [...taken].sort((a, b) => a.memaddr - b.memaddr)) {
    if (address + size <= other.memaddr) break;
    address = Math.max(address, alignUp(other.memaddr + other.size, alignment));
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

/**
 * How large each device's windows are, in bytes. Devices with one memslot, or with as many as the user
 * wants, come first; the others share what is left by their sizes.
 *
 * @param available  memslots for all of them
 */
export function windowSizes(
  placed: readonly VirtioMemProperties[],
  available: number,
): readonly number[] {
  const isAutomatic = ({ dynamicMemslots, memslotSize }: VirtioMemProperties): boolean =>
    dynamicMemslots && memslotSize === undefined;
  const automatic = placed.filter(isAutomatic);
  const total = automatic.reduce((all, { size }) => all + size, 0);
  const fixed = placed.filter((it) => !isAutomatic(it));
  const taken = fixed.reduce((all, { size, memslotSize }) => {
    return all + Math.ceil(size / (memslotSize ?? size));
  }, 0);
  // Each has one, whatever its part of the rest.
  const rest = Math.max(0, available - taken - automatic.length);
  return placed.map((properties) => {
    const { memslotSize, size, blockSize } = properties;
    if (!isAutomatic(properties)) return Math.min(memslotSize ?? size, size);
    return chooseWindowSize(size, blockSize, 1 + Math.floor(rest * (size / total)));
  });
}

/**
 * Sees to it that devices do not want more memslots than there are.
 *
 * @param windows   bytes of each device's windows
 * @param memslots  `capacity` is KVM's, `available` what devices may have of it
 * @throws HostError with the arithmetic
 */
export function checkMemslots(
  placed: readonly VirtioMemProperties[],
  windows: readonly number[],
  memslots: { readonly capacity: number; readonly available: number },
): void {
  const { capacity, available } = memslots;
  let left = available;
  for (const [at, { id, size, memslotSize }] of placed.entries()) {
    const window = windows[at] ?? size;
    const wanted = Math.ceil(size / window);
    if (wanted > left) {
      const arithmetic = `${formatSize(size)} in memslots of ${formatSize(window)} are ${wanted}`;
      const remaining = `${left} of this KVM's ${capacity} are left`;
      // A device without one of its own is refused only where others' leave nothing.
      const whose = memslotSize === undefined ? ' to those that have one' : ', or none';
      const message = `${id}: ${arithmetic}, and ${remaining}; give a larger memslot-size${whose}`;
      throw new HostError('MEMSLOTS_EXHAUSTED', message);
    }
    left -= wanted;
  }
}
