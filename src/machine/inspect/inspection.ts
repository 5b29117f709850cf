/*
 * What a closer look at a machine shows: registers, memory, devices inside. Everything is of the
 * moment it is asked for. Where vCPUs must stand still for it they are parked shortly, between two
 * instructions, and go on; a machine that is stopped stays so, and nobody is told.
 */
import type { DebugRegisters, FpuRegisters } from './fpu-registers.ts';
import type { Registers, SpecialRegisters } from '../../kvm/registers.ts';

export type { DebugRegisters, FpuRegisters } from './fpu-registers.ts';
export type { DescriptorTable, Registers, Segment, SpecialRegisters } from '../../kvm/registers.ts';

export interface CpuRegisters {
  readonly general: Registers;
  readonly special: SpecialRegisters;
  readonly fpu: FpuRegisters;
  readonly debug: DebugRegisters;
  /** Whether it waits for an interrupt (HLT). */
  readonly halted: boolean;
}

/** Registers of a local APIC. */
export interface LocalApicInfo {
  readonly cpu: number;
  /** By offset in the APIC's page, as 0x320 for the timer's LVT (Intel SDM 3A, table 12-1). */
  readonly register: (offset: number) => number;
}

/** A wire into the I/O APIC. */
export interface IoApicPin {
  readonly pin: number;
  /** The redirection entry, 64 bits (82093AA §3.2.4). */
  readonly entry: bigint;
  /** Whether an interrupt waits there. */
  readonly requested: boolean;
}

/** A PIC (8259A): its registers. */
export interface PicInfo {
  readonly irr: number;
  readonly imr: number;
  readonly isr: number;
  readonly irqBase: number;
  readonly elcr: number;
}

export interface InterruptControllerInfo {
  /** Master, slave. */
  readonly pics: readonly [PicInfo, PicInfo];
  readonly ioApicId: number;
  readonly pins: readonly IoApicPin[];
}

/** How often devices raised an interrupt. Timers inside KVM are not counted. */
export interface InterruptCount {
  readonly gsi: number;
  /** A wire to the I/O APIC and PICs, or a message. */
  readonly kind: 'wire' | 'msi';
  readonly count: number;
}

/** Bytes from an address on, as far as there is memory. */
export interface MemoryBytes {
  readonly bytes: Uint8Array;
  /** Why they end early: what is there instead of memory. */
  readonly endsBecause?: string;
}

/** What became of a range that was saved to a file. Bytes. */
export interface SavedMemory {
  /** Held memory and is in the file; zeros may be there as holes. */
  readonly saved: number;
  /** Held no memory: a hole in the file, that reads zeros. */
  readonly holes: number;
}

export interface VirtioQueueInfo {
  readonly index: number;
  readonly size: number;
  /** What the driver could have chosen at most. */
  readonly sizeLimit: number;
  /** Guest-physical. */
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  readonly nextAvail: number;
  readonly nextUsed: number;
  readonly inFlight: number;
  readonly requests: number;
  readonly broken?: string;
}

export interface VirtioDeviceInfo {
  /** Path of its object, as `/machine/peripheral/vm0`. */
  readonly path: string;
  /** As `virtio-mem`. */
  readonly name: string;
  readonly deviceType: number;
  readonly status: number;
  readonly offeredFeatures: bigint;
  readonly acceptedFeatures: bigint;
  /** ISR status (virtio 1.3 §4.1.4.5). */
  readonly isr: number;
  /** The queue that the driver has chosen last. */
  readonly queueSelect: number;
  /** Why DEVICE_NEEDS_RESET is set. */
  readonly needsReset?: string;
  /** One per queue; undefined where the driver has none. */
  readonly queues: readonly (VirtioQueueInfo | undefined)[];
}

/** A piece of a memory device, as `info memory-map` draws it. Bytes. */
export interface MemoryMapCell {
  readonly plugged: number;
  /** Of what is plugged or was, in host memory now. */
  readonly resident: number;
  /** Whether a memslot covers all of it, some of it, or nothing. */
  readonly mapped: 'all' | 'some' | 'none';
  /** Whether a memslot begins in it, or a window without one; false where they are smaller. */
  readonly border: boolean;
}

export interface MemoryMapInfo {
  readonly id: string;
  readonly memaddr: number;
  readonly size: number;
  readonly blockSize: number;
  readonly pluggedSize: number;
  readonly usableSize: number;
  /** Bytes of one memslot's window; the last may be smaller. */
  readonly windowSize: number;
  readonly windows: number;
  readonly activeWindows: number;
  /** KVM's memslots: one may cover several windows. */
  readonly memslots: number;
  readonly cellSize: number;
  readonly cells: readonly MemoryMapCell[];
}

/** Something that the machine counted. */
export interface StatValue {
  readonly name: string;
  readonly type: 'cumulative' | 'instant' | 'peak' | 'log2-histogram';
  /** `value` is in units of 10 to the power of `exponent` of this. Default: a plain number. */
  readonly unit?: 'seconds';
  readonly exponent?: number;
  /** A histogram's bucket n counts values from 2^(n-1) up to 2^n, and bucket 0 those below 1. */
  readonly value: number | readonly number[];
}

/** What was counted of one thing. */
export interface StatGroup {
  /** As `vm0` or `vcpu 0`. */
  readonly name: string;
  /** Of its object. */
  readonly path: string;
  readonly target: 'vm' | 'vcpu';
  readonly values: readonly StatValue[];
}

export interface MachineInspection {
  /** @throws (rejects with) ConfigError when there is no such vCPU, HostError when the machine ended */
  registers(cpu: number): Promise<CpuRegisters>;
  /** @throws (rejects with) as `registers` */
  localApic(cpu: number): Promise<LocalApicInfo>;
  interruptControllers(): InterruptControllerInfo;
  interruptCounts(): readonly InterruptCount[];
  /** Sends an NMI to every vCPU. */
  injectNmi(): void;

  /** Reads memory that is plugged, and nothing else. @param length at most 1 MiB */
  readPhysical(gpa: number, length: number): MemoryBytes;
  /** The same by the page tables of a vCPU. */
  readVirtual(cpu: number, address: bigint, length: number): Promise<MemoryBytes>;
  /** @returns undefined where the vCPU's page tables map nothing */
  translate(cpu: number, address: bigint): Promise<number | undefined>;
  /**
   * Saves guest-physical memory to a file, which is emptied first and is its owner's alone when it is
   * new. What holds no memory is a hole. Until it is done, guests that ask for memory, or give it back,
   * are told to try again.
   *
   * @throws (rejects with) ConfigError when nothing there holds memory or the file cannot be
   *   written; what was written before stays
   */
  savePhysical(gpa: number, size: number, path: string): Promise<SavedMemory>;
  /** The same by the page tables of a vCPU, which must map all of it. */
  saveVirtual(cpu: number, address: bigint, size: number, path: string): Promise<SavedMemory>;

  virtioDevices(): readonly VirtioDeviceInfo[];
  /**
   * @param cells  how many pieces to cut the device into, at most; they are a power of two of blocks
   * @throws (rejects with) ConfigError when there is no such device
   */
  memoryMap(id: string, cells: number): Promise<MemoryMapInfo>;
  stats(): readonly StatGroup[];
}
