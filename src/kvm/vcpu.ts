import type { CpuidTable, NativeVcpu } from './addon.ts';
import { ExitRecordReader, EXIT_RECORD, type VcpuExit } from './exit.ts';
import { decodeExitCounts, type ExitCounts } from './exit-counts.ts';
import { guarded } from './kvm-error.ts';
import {
  decodeRegisters,
  decodeSpecialRegisters,
  encodeRegisters,
  encodeSpecialRegisters,
  type Registers,
  type SpecialRegisters,
} from './registers.ts';

/** Raw states of a vCPU: struct kvm_*. */
export type VcpuStateKind =
  | 'regs'
  | 'sregs'
  | 'fpu'
  | 'lapic'
  | 'mp_state'
  | 'vcpu_events'
  | 'debugregs'
  | 'xsave'
  | 'xcrs';

/**
 * A vCPU. It is parked at first, and runs on a thread of its own from run() to the exit of kind
 * `parked` that follows pause(). Its state can be read and written while it is parked or waits for
 * an answer. Methods throw KvmError when the host refuses, and an Error once the VM is closed.
 */
export class Vcpu {
  readonly id: number;
  readonly #native: NativeVcpu;
  readonly #onRun: () => void;
  readonly #reader: ExitRecordReader;
  readonly #answer: DataView;

  constructor(native: NativeVcpu, onRun: () => void) {
    this.id = native.id;
    this.#native = native;
    this.#onRun = onRun;
    this.#answer = new DataView(native.exitRecord);
    this.#reader = new ExitRecordReader(this.#answer);
  }

  /** The kernel's id of its thread; 0 before it ran for the first time. */
  get threadId(): number {
    return this.#native.threadId;
  }

  /** How often it left KVM_RUN so far, by what for. */
  exitCounts(): ExitCounts {
    return guarded(() => decodeExitCounts(this.#native.exitCounts()));
  }

  /** CPUs that its thread may run on, in order; undefined before it ran for the first time. */
  cpuAffinity(): readonly number[] | undefined {
    const cpus = guarded(() => this.#native.cpuAffinity());
    return cpus && [...cpus];
  }

  /** Where its thread may run; before it ran for the first time: where it is to start. */
  setCpuAffinity(cpus: readonly number[]): void {
    guarded(() => this.#native.setCpuAffinity(Uint32Array.from(cpus)));
  }

  /** What the exit that was just told is. The same object every time, valid until the answer. */
  readExit(): VcpuExit {
    return this.#reader.read();
  }

  /** Answers a read with 32 or 64 bits, and lets the vCPU go on. */
  answer(low: number, high = 0): void {
    this.#answer.setUint32(EXIT_RECORD.data, low, true);
    this.#answer.setUint32(EXIT_RECORD.data + 4, high, true);
    this.#native.resume();
  }

  /** Lets a vCPU that waits for an answer go on: after a write, or to have another try. */
  resume(): void {
    this.#native.resume();
  }

  /** Lets a parked vCPU run. A pause that has not been followed by its exit yet is withdrawn. */
  run(): void {
    this.#onRun();
    guarded(() => this.#native.run());
  }

  /**
   * Has the vCPU park; an exit of kind `parked` follows. The I/O of its last instruction is
   * complete then: it may ask once more, and it waits until its posted writes are in the ring.
   */
  pause(): void {
    this.#native.pause();
  }

  setCpuid(table: CpuidTable): void {
    guarded(() => this.#native.setCpuid(table));
  }

  getState(kind: VcpuStateKind): Uint8Array {
    return guarded(() => this.#native.getState(kind));
  }

  setState(kind: VcpuStateKind, bytes: Uint8Array): void {
    guarded(() => this.#native.setState(kind, bytes));
  }

  registers(): Registers {
    return decodeRegisters(this.getState('regs'));
  }

  setRegisters(registers: Registers): void {
    this.setState('regs', encodeRegisters(registers));
  }

  specialRegisters(): SpecialRegisters {
    return decodeSpecialRegisters(this.getState('sregs'));
  }

  setSpecialRegisters(registers: SpecialRegisters): void {
    this.setState('sregs', encodeSpecialRegisters(registers));
  }

  /** @throws KvmError naming the first index that KVM does not know */
  getMsrs(indices: Uint32Array): BigUint64Array {
    return guarded(() => this.#native.getMsrs(indices));
  }

  /** @throws KvmError naming the first index that KVM refuses; those before it are set */
  setMsrs(indices: Uint32Array, values: BigUint64Array): void {
    guarded(() => this.#native.setMsrs(indices, values));
  }

  /**
   * Tells a guest that uses kvmclock that it has stood still, so that its watchdogs do not take that for
   * a fault of its own (KVM API 4.69).
   *
   * @returns false where it does not use kvmclock on this vCPU
   */
  markPaused(): boolean {
    return guarded(() => this.#native.markPaused());
  }

  /** What the guest's TSC is ahead of the host's, modulo 2^64; undefined where this KVM does not tell. */
  tscOffset(): bigint | undefined {
    return guarded(() => this.#native.tscOffset());
  }

  setTscOffset(offset: bigint): void {
    guarded(() => this.#native.setTscOffset(BigInt.asUintN(64, offset)));
  }

  /** @returns gpa, or undefined where the vCPU's page tables map nothing */
  translate(linear: bigint): number | undefined {
    return guarded(() => this.#native.translate(linear));
  }
}
