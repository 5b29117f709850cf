import { existsSync } from 'node:fs';
import { addon, type CpuidTable, type NativeIoRange, type NativeMapping } from '../addon.ts';
import type { ExitKind } from '../exit.ts';
import { KvmSystem } from '../system.ts';
import type { Vcpu } from '../vcpu.ts';
import { kernel64Registers, prepareUser64, REAL_MODE_FLAT, user64Registers } from './cpu-modes.ts';
import type { Vm } from '../vm.ts';

/** Why a test is skipped, or '' when it can run. */
export const NO_KVM = existsSync('/dev/kvm') ? '' : '/dev/kvm does not exist';

export const GUEST_MEMORY_BYTES = 0x10_0000;
/** Where a guest's code goes and begins; its data may be anywhere else below 64 KiB. */
export const CODE = 0x1000;

/** What an exit said, kept. */
export interface SeenExit {
  readonly vcpu: number;
  readonly kind: ExitKind;
  readonly isWrite: boolean;
  readonly addr: number;
  readonly size: number;
  readonly tag: number;
  readonly data: bigint;
  readonly reason: number;
  readonly errno: number;
  readonly detail: number;
  readonly values: readonly bigint[];
}

type GuestMode = 'real' | 'user64' | 'kernel64';

export interface TinyGuestOptions {
  /** Machine code, entered at CODE. */
  readonly code: readonly number[];
  /**
   * `real` (the default) with flat 64 KiB segments from 0; or `user64`: long mode at CPL 3 with the
   * first GiB mapped one to one, every port permitted and no interrupt table; or `kernel64`, the same
   * at CPL 0, on an AMD processor.
   */
  readonly mode?: GuestMode;
  readonly vcpus?: number;
  readonly irqchip?: boolean;
  readonly ranges?: readonly Partial<NativeIoRange>[];
}

/** A VM of a few bytes of real-mode code, whose exits a test awaits one by one. */
export class TinyGuest {
  readonly vm: Vm;
  readonly memory: NativeMapping;
  readonly vcpus: readonly Vcpu[];
  /** Posted writes as `tag:offset:value`, appended when the addon tells of them. */
  readonly posted: string[] = [];
  /** Offsets in the shadow of the ranges, in order. */
  readonly shadowOffsets: readonly number[];
  readonly #mode: GuestMode;
  #exits: SeenExit[] = [];
  #waiting: ((exit: SeenExit) => void) | undefined;
  onPosted = (): void => this.drain();

  constructor(options: TinyGuestOptions) {
    const kvm = KvmSystem.open();
    this.vm = kvm.createVm();
    const supported = kvm.supportedCpuid();
    kvm.close();
    this.memory = addon.mapMemory({
      size: GUEST_MEMORY_BYTES,
      alignment: 4096,
      shared: false,
      noReserve: false,
      access: 'read-write',
    });
    this.memory.write(CODE, Uint8Array.from(options.code));
    this.#mode = options.mode ?? 'real';
    if (this.#mode !== 'real') prepareUser64(this.memory);
    this.vm.setTssAddr(0xfffb_d000);
    if (options.irqchip === true) this.vm.createIrqchip();
    this.vm.setMemslot({
      slot: 0,
      flags: 0,
      gpa: 0,
      size: GUEST_MEMORY_BYTES,
      mapping: this.memory,
      offset: 0,
    });
    this.shadowOffsets = (options.ranges ?? []).map((range, index) =>
      this.vm.addIoRange({
        space: 'port',
        base: 0x10,
        size: 1,
        read: 'sync',
        write: 'sync',
        tag: index,
        ...range,
      }),
    );
    this.vm.setCallbacks({
      onExit: (id) => this.#exited(id),
      onPosted: () => this.onPosted(),
    });
    this.vcpus = Array.from({ length: options.vcpus ?? 1 }, (_, id) =>
      this.#createVcpu(id, supported),
    );
  }

  get vcpu(): Vcpu {
    return this.#vcpu(0);
  }

  drain(): void {
    this.vm.ring.drain((tag, _vcpu, offset, _size, low, high) => {
      this.posted.push(`${tag}:${offset}:${high * 2 ** 32 + low}`);
    });
  }

  /** The next exit of any vCPU, which waits for an answer meanwhile. */
  nextExit(): Promise<SeenExit> {
    const exit = this.#exits.shift();
    if (exit !== undefined) return Promise.resolve(exit);
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  /** Exits that were told and that no test has awaited. */
  get unseenExits(): number {
    return this.#exits.length;
  }

  close(): void {
    this.vm.close();
    this.memory.close();
  }

  #vcpu(id: number): Vcpu {
    const vcpu = this.vcpus[id];
    if (vcpu === undefined) throw new RangeError(`there is no vCPU ${id}`);
    return vcpu;
  }

  #createVcpu(id: number, cpuid: CpuidTable): Vcpu {
    const vcpu = this.vm.createVcpu(id);
    // Newer KVMs (seen: Linux 7.3) take no state that the CPU could not be in.
    vcpu.setCpuid(cpuid);
    const special = vcpu.specialRegisters();
    vcpu.setSpecialRegisters(
      this.#mode === 'real'
        ? {
            ...special,
            cs: { ...special.cs, ...REAL_MODE_FLAT },
            ds: { ...special.ds, ...REAL_MODE_FLAT },
            es: { ...special.es, ...REAL_MODE_FLAT },
            ss: { ...special.ss, ...REAL_MODE_FLAT },
          }
        : (this.#mode === 'user64' ? user64Registers : kernel64Registers)(special),
    );
    vcpu.setRegisters({ ...vcpu.registers(), rip: BigInt(CODE), rsp: 0x8000n, rflags: 2n });
    return vcpu;
  }

  #exited(id: number): void {
    const exit = this.#vcpu(id).readExit();
    const { kind, isWrite, addr, size, tag, reason, errno, detail } = exit;
    const data = (BigInt(exit.dataHigh) << 32n) | BigInt(exit.dataLow);
    const values = exit.values();
    const seen = { vcpu: id, kind, isWrite, addr, size, tag, data, reason, errno, detail, values };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#exits.push(seen);
    else waiting(seen);
  }
}

/** Waits for the event loop to have gone round, so that whatever was ready has been told. */
export function loopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
