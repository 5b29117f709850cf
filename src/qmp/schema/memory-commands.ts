import type { CommandSpecs } from './command-spec.ts';
import { CONVERGENCE_KINDS } from './convergence.ts';
import { bool, int, listOf, NOTHING, object, oneOf, optional, str, union } from './type.ts';

export const MEMORY_POLICIES = ['default', 'preferred', 'bind', 'interleave'] as const;

const VirtioMemDeviceInfo = object({
  id: str,
  memaddr: int,
  'requested-size': int,
  size: int,
  'max-size': int,
  'block-size': int,
  node: int,
  memdev: str,
});

const MemoryDeviceInfo = union(
  'type',
  { type: oneOf('virtio-mem') },
  { 'virtio-mem': object({ data: VirtioMemDeviceInfo }) },
);

const Latency = object({
  request: oneOf('plug', 'unplug', 'unplug-all', 'state'),
  /** How many were timed: all, but of STATE one in sixteen. */
  count: int,
  /** Nanoseconds, as exact as the buckets they were counted in: 12 %. */
  median: int,
  p99: int,
  max: int,
});

const MemoryDeviceDetails = object({
  id: str,
  'qom-path': str,
  'usable-size': int,
  /** How many; how many windows they cover, and how many there are; the size of a window. */
  memslots: object({ count: int, active: int, total: int, size: int }),
  convergence: object({
    reason: oneOf(...CONVERGENCE_KINDS),
    cause: str,
    /** Since when the size has not been as requested, in milliseconds; 0 when it is. */
    for: int,
  }),
  nudges: int,
  'held-requests': int,
  protection: object({
    enabled: bool,
    'unprotected-blocks': int,
    violations: int,
    'zero-reads': int,
  }),
  requests: object({ ack: int, nack: int, busy: int, error: int }),
  latencies: listOf(Latency),
});

const Memdev = object({
  id: str,
  size: int,
  merge: bool,
  dump: bool,
  prealloc: bool,
  share: bool,
  reserve: bool,
  'host-nodes': listOf(int),
  policy: oneOf(...MEMORY_POLICIES),
});

const Memslots = object({
  slots: listOf(object({ id: int, gpa: int, size: int, owner: str })),
  /** How many there can be. */
  limit: int,
  /**
   * Host memory that KVM takes for them: now, and if every device were one slot; and both once the
   * guest has run a guest of its own; bytes.
   */
  metadata: object({
    now: int,
    static: int,
    'nesting-now': int,
    'nesting-static': int,
    basis: str,
  }),
});

const MemoryMap = object({
  id: str,
  memaddr: int,
  size: int,
  'block-size': int,
  'plugged-size': int,
  'usable-size': int,
  /** The last may be smaller. */
  'window-size': int,
  windows: int,
  'active-windows': int,
  /** One may cover several windows. */
  memslots: int,
  'cell-size': int,
  /** From the start of the device on; bytes. */
  cells: listOf(object({ plugged: int, resident: int, mapped: oneOf('all', 'some', 'none') })),
});

/** In the order of the tree: what is in a region follows it, one deeper. */
const Region = object({
  depth: int,
  start: int,
  size: int,
  kind: oneOf('ram', 'i/o', 'container'),
  name: str,
  /** Of what KVM maps: the memory backend, unless it is unnamed boot memory, and bytes into it. */
  memdev: optional(str),
  offset: optional(int),
});

/** Where memory is, and how much. */
export const MEMORY_COMMANDS = {
  'query-memory-devices': { args: NOTHING, returns: listOf(MemoryDeviceInfo), oob: true },
  /** What `info memory-devices -v` adds. */
  'x-tsvmm-query-memory-devices': {
    args: NOTHING,
    returns: listOf(MemoryDeviceDetails),
    oob: true,
  },
  'query-memory-size-summary': {
    args: NOTHING,
    returns: object({ 'base-memory': int, 'plugged-memory': int }),
    oob: true,
  },
  /** There is no balloon: both fail as they do elsewhere without one. */
  'query-balloon': { args: NOTHING, returns: object({ actual: int }) },
  balloon: { args: object({ value: int }), returns: NOTHING },
  'query-memdev': { args: NOTHING, returns: listOf(Memdev) },
  'x-tsvmm-query-memslots': { args: NOTHING, returns: Memslots },
  'x-tsvmm-query-memory-map': {
    args: object({ id: str, cells: optional(int) }),
    returns: MemoryMap,
  },
  'x-tsvmm-query-mtree': {
    args: NOTHING,
    returns: listOf(object({ name: str, regions: listOf(Region) })),
  },
} as const satisfies CommandSpecs;
