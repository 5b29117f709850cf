import { ConfigError } from '../../errors.ts';
import { log } from '../../log.ts';
import { linuxFit, type LinuxFit } from '../../memory/linux-blocks.ts';
import { formatSize, GPA_LIMIT, hex, isPowerOfTwo, MIB, PAGE_SIZE } from '../../units.ts';

/** What the user asked for; what is absent gets a default. Sizes and addresses in bytes. */
export interface VirtioMemOptions {
  readonly id: string;
  readonly size: number;
  /** Id of the memory backend; absent: plain memory of its own. */
  readonly memdev?: string | undefined;
  readonly requestedSize?: number | undefined;
  readonly blockSize?: number | undefined;
  readonly node?: number | undefined;
  readonly memaddr?: number | undefined;
  readonly prealloc?: boolean | undefined;
  readonly unpluggedInaccessible?: 'on' | 'off' | 'auto' | undefined;
  readonly dynamicMemslots?: boolean | undefined;
  readonly memslotSize?: number | undefined;
  readonly protectUnplugged?: 'on' | 'off' | 'auto' | undefined;
}

/** What the device is. */
export interface VirtioMemProperties {
  readonly id: string;
  readonly size: number;
  readonly memdev: string | undefined;
  readonly requestedSize: number;
  readonly blockSize: number;
  readonly node: number;
  /** Whether the machine has NUMA nodes: only then the guest is told the node. */
  readonly hasNuma: boolean;
  readonly memaddr: number;
  readonly prealloc: boolean;
  readonly unpluggedInaccessible: boolean;
  readonly dynamicMemslots: boolean;
  /** Absent: chosen from what the memslot table can give. */
  readonly memslotSize: number | undefined;
  /** Whether the guest cannot reach what is not plugged. */
  readonly protectUnplugged: boolean;
  /** What of it a Linux guest can use. */
  readonly linuxFit: LinuxFit;
}

export interface PropertyContext {
  /** Bytes. */
  readonly thpSize: number;
  /** Of a Linux guest; bytes. */
  readonly memoryBlock: number;
  readonly pageSize: number;
  readonly sharedZeropage: boolean;
  /** NUMA nodes of the machine: 0 when it has none, where node 0 stands for all of it. */
  readonly nodeCount: number;
  /** First free address of device memory that is a multiple of the block size. */
  readonly nextAddress: (blockSize: number) => number;
  /** Exclusive end of what the guest can address, in bytes. */
  readonly addressLimit: number;
}

function refuse(id: string, key: string, value: number | string, why: string): never {
  throw new ConfigError('BAD_VIRTIO_MEM', `--virtio-mem id=${id}: ${key}=${value}: ${why}`);
}

function resolveBlockSize(options: VirtioMemOptions, context: PropertyContext): number {
  const { id, blockSize } = options;
  // With base pages a smaller block would split huge pages that the host makes by itself.
  const least = context.pageSize > PAGE_SIZE ? MIB : context.thpSize;
  const usual = Math.max(context.pageSize, least);
  if (blockSize === undefined) return usual;
  if (!isPowerOfTwo(blockSize)) refuse(id, 'block-size', blockSize, 'not a power of two');
  if (blockSize < MIB) refuse(id, 'block-size', blockSize, `less than 1 MiB (${MIB})`);
  if (blockSize < context.pageSize) {
    refuse(id, 'block-size', blockSize, `less than the backend's page size, ${context.pageSize}`);
  }
  if (blockSize < usual) {
    const message =
      'block-size is smaller than a transparent huge page: unplugging will split them';
    log('virtio-mem').warn({ id, blockSize, usual }, message);
  }
  return blockSize;
}

function resolveInaccessible(options: VirtioMemOptions, context: PropertyContext): boolean {
  const { id, unpluggedInaccessible = 'on' } = options;
  if (unpluggedInaccessible === 'auto') return !context.sharedZeropage;
  if (unpluggedInaccessible === 'off' && !context.sharedZeropage) {
    const message =
      'unplugged-inaccessible=off, but reading unplugged memory of this backend allocates it';
    log('virtio-mem').warn({ id }, message);
  }
  return unpluggedInaccessible === 'on';
}

/**
 * Sees to it that nothing is kept from a driver that did not promise to leave unplugged memory alone:
 * it may read it (virtio 1.3 §5.15.6.1).
 */
function checkPromise(options: VirtioMemOptions, inaccessible: boolean): void {
  const { id, unpluggedInaccessible, dynamicMemslots, protectUnplugged } = options;
  if (inaccessible) return;
  const value = unpluggedInaccessible === 'auto' ? 'auto, which is off for this backend' : 'off';
  for (const [key, isOn] of [
    ['dynamic-memslots', dynamicMemslots === true],
    ['protect-unplugged', protectUnplugged === 'on'],
  ] as const) {
    if (!isOn) continue;
    const message = `--virtio-mem id=${id}: ${key}=on needs unplugged-inaccessible=on, not ${value}`;
    throw new ConfigError('BAD_VIRTIO_MEM', message);
  }
}

function resolveProtection({ dynamicMemslots, protectUnplugged }: VirtioMemOptions): boolean {
  if (protectUnplugged === undefined || protectUnplugged === 'auto')
    return dynamicMemslots === true;
  return protectUnplugged === 'on';
}

function resolveAddress(
  options: VirtioMemOptions,
  blockSize: number,
  context: PropertyContext,
): number {
  const { id, size } = options;
  const memaddr = options.memaddr ?? context.nextAddress(blockSize);
  if (memaddr % blockSize !== 0) {
    refuse(id, 'memaddr', hex(memaddr), `not a multiple of the block size, ${hex(blockSize)}`);
  }
  const end = memaddr + size;
  const limit = Math.min(context.addressLimit, GPA_LIMIT);
  if (end > limit) {
    const bits = Math.log2(limit);
    const what = `--virtio-mem id=${id}: ${formatSize(size)} at ${hex(memaddr)} ends at ${hex(end)}`;
    const message = `${what}, past the guest's ${bits}-bit limit ${hex(limit)}; reduce size, give a lower memaddr, or use a host CPU with more address bits`;
    throw new ConfigError('ADDRESS_WIDTH', message);
  }
  return memaddr;
}

function checkMemslotSize(options: VirtioMemOptions, blockSize: number): void {
  const { id, memslotSize, dynamicMemslots = false } = options;
  if (memslotSize === undefined) return;
  if (!dynamicMemslots) refuse(id, 'memslot-size', memslotSize, 'only with dynamic-memslots=on');
  if (!isPowerOfTwo(memslotSize)) refuse(id, 'memslot-size', memslotSize, 'not a power of two');
  if (memslotSize < blockSize) {
    refuse(id, 'memslot-size', memslotSize, `less than the block size, ${blockSize}`);
  }
}

/** Bytes, for programs and for people: `8589934592 (8 GiB)`. */
const both = (bytes: number): string => `${bytes} (${formatSize(bytes)})`;

/** @throws ConfigError naming the value and what it must be */
export function checkRequestedSize(
  properties: { readonly id: string; readonly size: number; readonly blockSize: number },
  bytes: number,
): void {
  const { id, size, blockSize } = properties;
  const subject = `${id}: requested-size=${both(bytes)}`;
  if (bytes > size) {
    const message = `${subject} is more than the device's size, ${both(size)}`;
    throw new ConfigError('BAD_REQUESTED_SIZE', message);
  }
  if (bytes % blockSize !== 0) {
    const message = `${subject} is not a multiple of the block size, ${both(blockSize)}`;
    throw new ConfigError('BAD_REQUESTED_SIZE', message);
  }
}

/** Fills in defaults and checks everything. @throws ConfigError naming the key and the value */
export function resolveProperties(
  options: VirtioMemOptions,
  context: PropertyContext,
): VirtioMemProperties {
  const { id, size, requestedSize = 0, node = 0 } = options;
  const blockSize = resolveBlockSize(options, context);
  if (size === 0) refuse(id, 'size', size, 'a device needs memory');
  if (size % blockSize !== 0) {
    refuse(id, 'size', size, `not a multiple of the block size, ${blockSize}`);
  }
  checkRequestedSize({ id, size, blockSize }, requestedSize);
  const { nodeCount } = context;
  if (!Number.isInteger(node) || node < 0 || node >= Math.max(1, nodeCount)) {
    const nodes = `the machine has NUMA nodes 0 to ${nodeCount - 1}`;
    refuse(id, 'node', node, nodeCount === 0 ? 'the machine has no NUMA nodes; see --numa' : nodes);
  }
  checkMemslotSize(options, blockSize);
  const unpluggedInaccessible = resolveInaccessible(options, context);
  checkPromise(options, unpluggedInaccessible);
  const memaddr = resolveAddress(options, blockSize, context);
  return {
    id,
    size,
    memdev: options.memdev,
    requestedSize,
    blockSize,
    node,
    hasNuma: nodeCount > 0,
    memaddr,
    prealloc: options.prealloc ?? false,
    unpluggedInaccessible,
    dynamicMemslots: options.dynamicMemslots ?? false,
    memslotSize: options.memslotSize,
    protectUnplugged: resolveProtection(options),
    linuxFit: linuxFit({ memaddr, size, blockSize }, context.memoryBlock),
  };
}
