/*
 * What the monitor sees of a machine. Queries return plain data of the moment they are asked;
 * sizes are bytes and addresses guest-physical, both plain numbers.
 */

import type { Convergence } from '../devices/virtio-mem/convergence.ts';
import type { LatencySummary } from '../virtio/latency-histogram.ts';
import type { ResetCount } from './resets.ts';
import type { MachineInspection } from './inspect/inspection.ts';

export type * from './inspect/inspection.ts';

/** Whether the vCPUs run, and why not. */
export interface MachineStatus {
  readonly running: boolean;
  /**
   * Why the machine stands still when nobody asked it to, as `prelaunch`, `shutdown` or
   * `internal-error`; absent while it runs and after `stop()`.
   */
  readonly reason?: string;
  /** How often it was reset, by whom; absent when it never was. */
  readonly resets?: readonly ResetCount[];
}

export interface CpuInfo {
  readonly id: number;
  readonly state: 'running' | 'halted' | 'paused' | 'waiting-for-sipi';
  /** Kernel thread id; absent before the vCPU ran for the first time. */
  readonly threadId?: number;
  /** The package that it is in, and which of its cores it is. */
  readonly socket: number;
  readonly core: number;
  /** Absent when the machine has no NUMA nodes. */
  readonly node?: number;
}

/** A value that a person reads or writes by name. */
export type PropertyValue = string | number | boolean;

export interface NamedValue {
  readonly name: string;
  readonly value: PropertyValue;
}

export interface MemoryDeviceInfo {
  readonly type: 'virtio-mem';
  readonly id: string;
  /** First address of the device's region. */
  readonly memaddr: number;
  readonly node: number;
  readonly requestedSize: number;
  /** Plugged now. */
  readonly size: number;
  readonly maxSize: number;
  readonly blockSize: number;
  /** Path of the backend's object, as `/objects/mem0`. */
  readonly memdev: string;
  /** A closer look, taken when it is asked for. */
  readonly details: () => MemoryDeviceDetails;
}

/** What a memory device does, has done, and why its size is not yet as asked. */
export interface MemoryDeviceDetails {
  /** What the guest can plug now at most, in bytes. */
  readonly usableSize: number;
  readonly memslots: {
    /** Those that KVM has; one may cover several windows. */
    readonly count: number;
    /** Windows that they cover. */
    readonly active: number;
    /** Windows in all. */
    readonly total: number;
    /** Of a window, in bytes; the last may be smaller. */
    readonly size: number;
  };
  readonly convergence: Convergence;
  /** Reminders sent to the driver. */
  readonly nudges: number;
  /** Requests answered BUSY because somebody held memory. */
  readonly heldRequests: number;
  readonly protection: {
    /** Whether unplugged memory is out of the guest's reach. */
    readonly isOn: boolean;
    readonly unprotectedBlocks: number;
    readonly violations: number;
    /** Violations that were reads, and saw zeros. */
    readonly zeroReads: number;
  };
  /** How many requests got which answer. */
  readonly answers: Readonly<Record<'ack' | 'nack' | 'busy' | 'error', number>>;
  /** How long requests took from the moment they were taken up. */
  readonly latencies: Readonly<Record<'plug' | 'unplug' | 'unplug-all' | 'state', LatencySummary>>;
}

/** Host memory, and what it can do. */
export interface MemoryBackendInfo {
  readonly id: string;
  readonly size: number;
  readonly merge: boolean;
  readonly dump: boolean;
  readonly prealloc: boolean;
  readonly share: boolean;
  readonly reserve: boolean;
  readonly policy: string;
  /** As `0-2,5`; empty without a policy. */
  readonly hostNodes: string;
  /** What it can do and who has it, in order. */
  readonly more: readonly NamedValue[];
}

/** A NUMA node; its number is its place in the list. */
export interface NumaNodeInfo {
  /** Ids of its vCPUs, in order. */
  readonly cpus: readonly number[];
  readonly bootMemorySize: number;
  /** What its memory devices have plugged now. */
  readonly pluggedSize: number;
}

/** How a property's value is written: `size` takes suffixes (`500M`), `bool` is on or off. */
export type PropertyType = 'size' | 'int' | 'bool' | 'string';

export interface ObjectProperty extends NamedValue {
  readonly type: PropertyType;
  readonly writable: boolean;
}

/** An object that users may name. Its id is the last part of its path; ids are unique. */
export interface ObjectInfo {
  /** Absolute, as `/machine/peripheral/vm0` or `/objects/mem0`. */
  readonly path: string;
  /** As `virtio-mem-pci` or `memory-backend-ram`. */
  readonly type: string;
  readonly properties: readonly ObjectProperty[];
}

export interface MemslotInfo {
  readonly id: number;
  readonly gpa: number;
  readonly size: number;
  /** Who owns it: a device's id, or `ram`, which may be the id of a device, too. */
  readonly device: string;
  readonly isBootMemory: boolean;
}

/** A part of a device's region with nothing plugged: KVM has no memslot for it. */
export type IdleWindow = Omit<MemslotInfo, 'id' | 'isBootMemory'>;

/** Host memory that KVM takes for memslots, in bytes. */
export interface MetadataCosts {
  /** For those that are active. */
  readonly nowBytes: number;
  /** The same if every device region were one slot, always present. */
  readonly staticBytes: number;
}

export interface MemslotReport {
  /** Those that KVM has now, by address. */
  readonly slots: readonly MemslotInfo[];
  /** By device and address; there may be thousands. */
  idle(): readonly IdleWindow[];
  /** Slots that this KVM offers (KVM_CAP_NR_MEMSLOTS). */
  readonly limit: number;
  readonly metadata: MetadataCosts & {
    /** What it is once the guest has run a guest of its own; the same where it cannot. */
    readonly whenNesting: MetadataCosts;
    /** What the figures assume of this KVM, as `TDP MMU, write tracking`. */
    readonly basis: string;
  };
}

export interface PciBarInfo {
  readonly index: number;
  readonly kind: 'io' | 'mem32' | 'mem64';
  readonly prefetchable: boolean;
  /** Absent while the guest has not enabled or placed it. */
  readonly addr?: number;
  readonly size: number;
}

export interface PciFunctionInfo {
  readonly bus: number;
  readonly device: number;
  readonly function: number;
  /** Class and subclass, 16 bits. */
  readonly classCode: number;
  readonly vendorId: number;
  readonly deviceId: number;
  /** Absent when the function has none (zero). */
  readonly subsystem?: { readonly vendorId: number; readonly id: number };
  /** INTx: the line register, and the pin from 1 (A) to 4 (D); absent without INTx. */
  readonly interrupt?: { readonly line: number; readonly pin: number };
  readonly bars: readonly PciBarInfo[];
  /** The user's name for the device, or empty. */
  readonly id: string;
}

export interface MappedMemory {
  /** Id of the memory backend; absent for boot memory for which none was named. */
  readonly backend?: string;
  /** Bytes into the backend's memory; a file has them behind its `offset`. */
  readonly offset: number;
}

export interface RegionInfo {
  readonly start: number;
  /** Bytes or ports, more than 0. */
  readonly size: number;
  readonly kind: 'ram' | 'i/o' | 'container';
  readonly name: string;
  /** What is in it, of a range that KVM maps. */
  readonly memory?: MappedMemory;
  readonly children?: readonly RegionInfo[];
}

export interface AddressSpaceInfo {
  /** `memory` or `I/O`. */
  readonly name: string;
  readonly root: RegionInfo;
}

export interface MachineControl {
  /** What the guest is called on this host. */
  readonly name: string;
  /** In lower case; all zeros when it has none. */
  readonly uuid: string;
  /** Version of tsvmm, as `0.1.0`. */
  readonly version: string;

  status(): MachineStatus;
  cpus(): readonly CpuInfo[];
  memoryDevices(): readonly MemoryDeviceInfo[];
  memoryBackends(): readonly MemoryBackendInfo[];
  /** Empty when the machine has no NUMA nodes. */
  numaNodes(): readonly NumaNodeInfo[];
  objects(): readonly ObjectInfo[];
  memslots(): MemslotReport;
  pciFunctions(): readonly PciFunctionInfo[];
  addressSpaces(): readonly AddressSpaceInfo[];
  /** A closer look: registers, memory, devices inside. What it takes is loaded with the first. */
  inspect(): Promise<MachineInspection>;

  /**
   * Sets a writable property, as `requested-size` of a virtio-mem device.
   *
   * @param path  the object's path
   * @param value of the type that the property's `type` says; sizes and ints are whole numbers
   * @throws ConfigError when the value cannot be, naming value and limit; nothing has changed
   */
  setProperty(path: string, name: string, value: PropertyValue): void | Promise<void>;

  /** Parks every vCPU; resolves once none runs. Nothing to do when they are parked. */
  stop(): Promise<void>;
  /** Lets the vCPUs run on. @throws HostError when only a reset can help */
  cont(): Promise<void>;
  /** Resets the machine as its reset button does. */
  reset(): Promise<void>;
  /** Presses the ACPI power button; the guest decides what to do. */
  powerDown(): void;
  /** Ends the process, exit code 0. Returns at once; monitors get their output flushed. */
  quit(): void;
}
