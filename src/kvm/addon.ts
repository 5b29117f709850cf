import { loadAddon } from './load-addon.ts';

/*
 * The interface of the native addon and the only place that loads it. The addon is mechanism:
 * it checks what memory safety needs and decides nothing. Every failure is a NativeError.
 */

/** What a failing native call throws. `args` spells the arguments, for the message. */
export interface NativeError extends Error {
  /** `EINVAL`, `ENOMEM`, … */
  readonly code: string;
  readonly errno: number;
  /** The ioctl or system call, as `KVM_CREATE_VM`. */
  readonly syscall: string;
  readonly args: string;
}

/** `KVM_CPUID` entries, seven u32 each: function, index, flags, eax, ebx, ecx, edx. */
export type CpuidTable = Uint32Array;

/** `/dev/kvm`. */
export interface NativeKvm {
  /** KVM_GET_API_VERSION: 12 since 2007. */
  apiVersion(): number;
  checkExtension(capability: number): number;
  supportedCpuid(): CpuidTable;
  /** The VM lives on when this handle is closed. */
  createVm(): NativeVm;
  close(): void;
}

export interface NativeMemslot {
  readonly slot: number;
  /** `KVM_MEM_*` flags. */
  readonly flags: number;
  readonly gpa: number;
  /** Bytes. */
  readonly size: number;
  /** Kept alive, and refused to close, as long as the slot exists. */
  readonly mapping: NativeMapping;
  /** Bytes from the start of the mapping. */
  readonly offset: number;
}

export type IoSpace = 'port' | 'mmio';

/**
 * How one range of ports or MMIO is served (see ARCHITECTURE.md, "Exits").
 * Reads: `sync` asks JavaScript, `shadow` answers from `ioShadow`, `ones` answers all ones.
 * Writes: `sync` waits for JavaScript, `post` queues to the ring, `drop` ignores.
 */
export interface NativeIoRange {
  readonly space: IoSpace;
  readonly base: number;
  /** Bytes or ports. Ranges of a space must not overlap; an access that is not wholly inside one
   *  range belongs to no range. */
  readonly size: number;
  readonly read: 'sync' | 'shadow' | 'ones';
  readonly write: 'sync' | 'post' | 'drop';
  /** Comes back in exits and posted writes: a u32 below 0xffffffff. */
  readonly tag: number;
}

export interface NativeIoeventfd {
  readonly event: NativeEventFd;
  readonly space: IoSpace;
  readonly addr: number;
  /** 1, 2, 4, 8, or 0 for any length. */
  readonly size: number;
  /** Only writes of this value, when given. */
  readonly datamatch?: number;
}

export interface VmCallbacks {
  /** The vCPU with this id waits for an answer, or has parked, or failed: read its exit record. */
  readonly onExit: (vcpuId: number) => void;
  /** Posted writes are waiting in the ring. */
  readonly onPosted: () => void;
}

/**
 * A VM whose vCPUs run keeps the process alive, but not itself: when nothing but its own callbacks
 * refers to it any more it is closed, as by close().
 */
export interface NativeVm {
  checkExtension(capability: number): number;
  enableCap(capability: number, args: readonly bigint[]): void;
  setTssAddr(gpa: number): void;
  setIdentityMapAddr(gpa: number): void;
  createIrqchip(): void;
  /** KVM_CREATE_PIT2 with the speaker-port dummy flag. */
  createPit(): void;
  /** Raw state: `clock` (kvm_clock_data), `pit2`, `irqchip0`, `irqchip1`, `irqchip2` (kvm_irqchip). */
  getState(kind: string): Uint8Array;
  setState(kind: string, bytes: Uint8Array): void;
  setMemslot(memslot: NativeMemslot): void;
  deleteMemslot(slot: number): void;
  /** Deletes slots on the libuv pool: with many pages mapped that takes tens of milliseconds. */
  deleteMemslots(slots: Uint32Array): Promise<void>;
  /** Dirty pages of a slot since the last call, one bit each, into `bitmap`. */
  getDirtyLog(slot: number, bitmap: Uint8Array): void;
  /** Five u32 per entry: gsi, 0 for irqchip or 1 for MSI, then chip, pin, 0 or address low, high, data. */
  setGsiRouting(entries: Uint32Array): void;
  irqLine(gsi: number, level: boolean): void;
  signalMsi(address: number, data: number): void;
  assignIrqfd(event: NativeEventFd, gsi: number): void;
  deassignIrqfd(event: NativeEventFd, gsi: number): void;
  assignIoeventfd(options: NativeIoeventfd): void;
  deassignIoeventfd(options: NativeIoeventfd): void;
  /** Sets who is told of exits. Until then nothing may run. */
  setCallbacks(callbacks: VmCallbacks): void;
  /** Adds a range. @returns offset of its bytes in `ioShadow` (0 unless `read` is `shadow`) */
  addIoRange(range: NativeIoRange): number;
  removeIoRange(space: IoSpace, base: number): void;
  /** 64 KiB that answer shadow reads; byte-wise coherent with the vCPU threads. */
  readonly ioShadow: ArrayBuffer;
  /** Posted writes; layout in `posted-ring.ts`. */
  readonly ioRing: ArrayBuffer;
  /** Tells vCPUs that wait on a full ring that there is room. */
  ringDrained(): void;
  createVcpu(id: number): NativeVcpu;
  /** Stops and joins every vCPU thread, closes every descriptor; idempotent. */
  close(): void;
}

export interface NativeVcpu {
  readonly id: number;
  /** The kernel's id of its thread; 0 before it ran for the first time. */
  readonly threadId: number;
  /** The exit record; layout in `exit.ts`. */
  readonly exitRecord: ArrayBuffer;
  /** How often it left KVM_RUN, by what for; order in `exit-counts.ts`. */
  exitCounts(): Float64Array;
  /** CPUs that its thread may run on, in order; undefined before it ran for the first time. */
  cpuAffinity(): Uint32Array | undefined;
  /** @throws NativeError when it may run on none of them; before it runs, it starts where it can */
  setCpuAffinity(cpus: Uint32Array): void;
  setCpuid(table: CpuidTable): void;
  /**
   * Raw state of a vCPU that is parked or waits for an answer: `regs`, `sregs`, `fpu`, `lapic`,
   * `mp_state`, `vcpu_events`, `debugregs`, `xsave`, `xcrs` (struct kvm_*).
   * @throws when the vCPU is running
   */
  getState(kind: string): Uint8Array;
  setState(kind: string, bytes: Uint8Array): void;
  /** @returns one value per index; @throws naming the first index that KVM does not know */
  getMsrs(indices: Uint32Array): BigUint64Array;
  setMsrs(indices: Uint32Array, values: BigUint64Array): void;
  /** @returns gpa, or undefined where the vCPU's page tables map nothing */
  translate(linear: bigint): number | undefined;
  /** KVM API 4.69. @returns false where the guest does not use kvmclock on this vCPU */
  markPaused(): boolean;
  /** KVM_VCPU_TSC_OFFSET. @returns undefined where this KVM keeps it to itself */
  tscOffset(): bigint | undefined;
  setTscOffset(offset: bigint): void;
  /**
   * Lets a parked vCPU run; starts its thread the first time. A pause whose `parked` exit has not
   * been told yet is withdrawn: that exit never comes.
   */
  run(): void;
  /**
   * Asks a running vCPU to park; an exit of kind `parked` follows, after any answer it waits for and
   * once its posted writes are in the ring. Its last instruction is complete then.
   */
  pause(): void;
  /** Answers the exit that the vCPU waits for (data in the exit record), and lets it go on. */
  resume(): void;
}

export interface NativeMapOptions {
  /** Bytes, a multiple of the page size. */
  readonly size: number;
  /** Power of two that the address is a multiple of. */
  readonly alignment: number;
  readonly shared: boolean;
  /** MAP_NORESERVE. */
  readonly noReserve: boolean;
  /** Initial protection. */
  readonly access: 'none' | 'read' | 'read-write';
  /** Absent: anonymous memory. The caller may close it afterwards. */
  readonly fd?: number;
  /** Bytes from the start of the file. */
  readonly fdOffset?: number;
  /** Bytes: what the file maps as one at the least, where its file system does not say (device-dax). */
  readonly pageSize?: number;
}

/** A mapping of host memory. Offsets and lengths are bytes and checked against its size. */
export interface NativeMapping {
  readonly size: number;
  /**
   * A window for JavaScript, detached when the mapping closes. The caller sees to it that the
   * bytes are accessible: touching PROT_NONE memory kills the process.
   */
  view(offset: number, length: number): ArrayBuffer;
  read(offset: number, target: Uint8Array): void;
  write(offset: number, source: Uint8Array): void;
  protect(offset: number, length: number, access: 'none' | 'read' | 'read-write'): void;
  /**
   * Has an inaccessible, empty range read zeros for everybody but JavaScript, and refuse writes; costs no
   * memory, whatever is behind the mapping: the kernel's page of zeros takes its place.
   */
  showZeros(offset: number, length: number): void;
  /** Makes a range that `showZeros` was called with what it was; when it throws it still reads zeros. */
  hideZeros(offset: number, length: number): void;
  /** madvise on the calling thread. */
  advise(offset: number, length: number, advice: number): void;
  /**
   * madvise on the libuv pool, in steps of some MiB, so that the process's memory map is not locked
   * for long. close() ends it with ECANCELED after the step at hand.
   */
  adviseAsync(offset: number, length: number, advice: number): Promise<void>;
  /**
   * Bytes present in memory (mincore), counted on the libuv pool. Pages of a memfd that fallocate
   * made and nobody touched do not count.
   */
  residentBytes(offset: number, length: number): Promise<number>;
  /**
   * Allocates every page, content kept, on so many threads of its own. Memory that the host does not
   * have is an error, never a signal.
   */
  populate(offset: number, length: number, threads: number): Promise<void>;
  /** Fills a range with zeros, on the libuv pool. */
  zero(offset: number, length: number): Promise<void>;
  /** mbind of the whole mapping: MPOL_* mode, MPOL_MF_* flags, numbers of host nodes. */
  setPolicy(mode: number, flags: number, nodes: Uint32Array): void;
  /**
   * Signals `event` when this process touched memory that is lost: a file cut short, no free huge
   * page, broken memory. The page reads zeros from then on, and the process lives.
   */
  watchFaults(event: NativeEventFd): void;
  /** Offset of the first page that was lost so. */
  readonly faultOffset: number | undefined;
  /**
   * Detaches every view and unmaps, as soon as work on the pool has stopped; refused while a memslot
   * uses it; idempotent.
   */
  close(): void;
}

export interface NativeEventFd {
  readonly fd: number;
  /** Adds one to the counter. */
  signal(): void;
  /** Resets the counter. @returns whether it had been signalled */
  drain(): boolean;
  /**
   * Calls back from the event loop, counter already reset, once for the signals since the last call.
   * Watching keeps neither the process nor the handle alive: hold the handle.
   */
  watch(callback: () => void): void;
  unwatch(): void;
  /** A VM that has it assigned keeps using it. Deassign first. */
  close(): void;
}

export interface NativeMemfdOptions {
  readonly name: string;
  readonly size: number;
  /** 0 for base pages, else the huge page size in bytes. */
  readonly hugePageSize: number;
  /** Seal against growing and shrinking. */
  readonly seal: boolean;
}

export interface NativeTerminal {
  /** Puts the terminal back as it was found; idempotent, also done when the process exits. */
  restore(): void;
}

/**
 * What one machine has of the mappings that this process may spend on borders within guest memory:
 * those that vm.max_map_count leaves, less a quarter for the rest of the process. All machines share
 * them, in whatever thread. Other mappings of the process are counted when the first share is made,
 * and anew on the libuv pool where much has been taken or given since, or something was refused.
 */
export interface NativeMappingShare {
  /** Of all of them; below 0 when the rest of the process has grown into them. */
  readonly left: number;
  /** Takes `count` mappings, or gives them back when it is negative. @returns whether there were so many */
  take(count: number): boolean;
  /** As `take`, for mappings that are in use already, even where there were none left. */
  force(count: number): void;
  /** Gives back what it holds, and takes nothing any more; idempotent, also done when a worker ends. */
  close(): void;
}

export interface NativeAddon {
  openKvm(path: string): NativeKvm;
  mapMemory(options: NativeMapOptions): NativeMapping;
  /** @param usesReserve  for what takes few: it is given what it asks for, until it is closed */
  shareMappings(usesReserve?: boolean): NativeMappingShare;
  createEventFd(): NativeEventFd;
  /** @returns an open descriptor for closeMemfd(); a worker that is terminated closes it, too */
  createMemfd(options: NativeMemfdOptions): number;
  closeMemfd(fd: number): void;
  /** fallocate on the calling thread. */
  fallocate(fd: number, mode: number, offset: number, length: number): void;
  fallocateAsync(fd: number, mode: number, offset: number, length: number): Promise<void>;
  /** Raw mode, output processing kept. */
  rawTerminal(fd: number): NativeTerminal;
  /** CPUs that the calling thread may run on, in order. */
  cpuAffinity(): Uint32Array;
  setCpuAffinity(cpus: Uint32Array): void;
  /** The CPU that the calling thread is on at present. */
  currentCpu(): number;
  readonly pageSize: number;
}

/** The addon, loaded once. Its own types end here: the interface above is what native/ implements. */
export const addon = loadAddon() as NativeAddon;
