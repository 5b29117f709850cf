import type { CommandSpecs } from './command-spec.ts';
import { bool, int, listOf, NOTHING, object, oneOf, optional, str, uint64 } from './type.ts';

/** What people read, in the words of the human monitor. */
const HumanReadableText = object({ 'human-readable-text': str });

const Registers = object({
  'cpu-index': int,
  /** Whether it waits for an interrupt. */
  halted: bool,
  registers: listOf(object({ name: str, value: uint64 })),
  segments: listOf(object({ name: str, selector: int, base: uint64, limit: int })),
});

const PciDeviceInfo = object({
  bus: int,
  slot: int,
  function: int,
  class_info: object({ desc: optional(str), class: int }),
  id: object({
    device: int,
    vendor: int,
    subsystem: optional(int),
    'subsystem-vendor': optional(int),
  }),
  irq: optional(int),
  /** From 1 (A) to 4 (D); 0 without INTx. */
  irq_pin: int,
  qdev_id: str,
  regions: listOf(
    object({
      bar: int,
      type: oneOf('io', 'memory'),
      /** -1 while the guest has not placed it. */
      address: int,
      size: int,
      prefetch: optional(bool),
      mem_type_64: optional(bool),
    }),
  ),
});

const Features = object({
  transports: listOf(str),
  'dev-features': listOf(str),
  'unknown-dev-features': optional(uint64),
});

const VirtioStatus = object({
  name: str,
  'device-id': int,
  'vhost-started': bool,
  'device-endian': oneOf('little'),
  'num-vqs': int,
  status: object({ statuses: listOf(str), 'unknown-statuses': optional(int) }),
  'guest-features': Features,
  'host-features': Features,
  /** Of a backend in another process, which none of our devices has. */
  'backend-features': Features,
  isr: int,
  'queue-sel': int,
  'vm-running': bool,
  started: bool,
  broken: bool,
  disabled: bool,
  'use-started': bool,
  'start-on-kick': bool,
  'disable-legacy-check': bool,
  'bus-name': str,
  'use-guest-notifier-mask': bool,
  /** Why the device asks for a reset. */
  'x-tsvmm-broken-because': optional(str),
});

const VirtQueueStatus = object({
  name: str,
  'queue-index': int,
  inuse: int,
  'used-idx': int,
  'last-avail-idx': int,
  'vring-num': int,
  /** What the driver could have chosen at most. */
  'vring-num-default': int,
  /** Of a used ring, in bytes (virtio 1.3 §2.7). */
  'vring-align': int,
  'vring-desc': int,
  'vring-avail': int,
  'vring-used': int,
  'signalled-used': int,
  /** Always false: what the driver was told of last is not kept. */
  'signalled-used-valid': bool,
  /** Since the driver started. */
  'x-tsvmm-requests': int,
  'x-tsvmm-broken-because': optional(str),
});

/** Without a CPU the first is meant. */
const cpuIndex = optional(int);

/** A closer look: registers, memory, devices inside. */
export const INSPECT_COMMANDS = {
  'query-pci': {
    args: NOTHING,
    returns: listOf(object({ bus: int, devices: listOf(PciDeviceInfo) })),
  },
  'x-query-virtio': { args: NOTHING, returns: listOf(object({ path: str, name: str })) },
  'x-query-virtio-status': { args: object({ path: str }), returns: VirtioStatus },
  'x-query-virtio-queue-status': {
    args: object({ path: str, queue: int }),
    returns: VirtQueueStatus,
  },
  'x-query-numa': { args: NOTHING, returns: HumanReadableText },
  'x-query-irq': { args: NOTHING, returns: HumanReadableText },
  'x-query-interrupt-controllers': { args: NOTHING, returns: HumanReadableText },
  /** Without a CPU of all of them. */
  'x-tsvmm-query-registers': {
    args: object({ 'cpu-index': cpuIndex }),
    returns: listOf(Registers),
  },
  /** By offset in the page of the APIC (Intel SDM 3A, table 12-1). */
  'x-tsvmm-query-lapic': {
    args: object({ 'cpu-index': cpuIndex }),
    returns: object({
      'cpu-index': int,
      registers: listOf(object({ offset: int, value: int })),
    }),
  },
  memsave: {
    args: object({ val: uint64, size: int, filename: str, 'cpu-index': cpuIndex }),
    returns: NOTHING,
  },
  pmemsave: { args: object({ val: uint64, size: int, filename: str }), returns: NOTHING },
  /**
   * Reads up to 1 MiB, in base64: by the page tables of a CPU where one is given. It may end early:
   * at memory that is not plugged, or not there.
   */
  'x-tsvmm-read-memory': {
    args: object({ address: uint64, size: int, 'cpu-index': cpuIndex }),
    returns: object({ data: str, 'ends-because': optional(str) }),
  },
  /** A virtual address as a guest-physical one; absent where nothing is mapped. */
  'x-tsvmm-translate': {
    args: object({ address: uint64, 'cpu-index': cpuIndex }),
    returns: object({ gpa: optional(int) }),
  },
} as const satisfies CommandSpecs;
