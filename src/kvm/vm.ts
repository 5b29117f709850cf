import type {
  IoSpace,
  NativeEventFd,
  NativeIoeventfd,
  NativeIoRange,
  NativeMemslot,
  NativeVm,
  VmCallbacks,
} from './addon.ts';
import { CAPABILITY, KVM_X86_QUIRK } from './capabilities.ts';
import { guarded } from './kvm-error.ts';
import { PostedRing } from './posted-ring.ts';
import { Vcpu } from './vcpu.ts';

/** Raw states of a VM: kvm_clock_data, kvm_pit_state2, and kvm_irqchip of both PICs and the I/O APIC. */
export type VmStateKind = 'clock' | 'pit2' | 'irqchip0' | 'irqchip1' | 'irqchip2';

/**
 * VMs that run, which nobody but their own callbacks may know: the collector would close a VM
 * that nothing refers to.
 */
const started = new Set<Vm>();

/** A VM. Every method throws KvmError when the host refuses, and an Error once closed. */
export class Vm {
  readonly #native: NativeVm;
  /** Writes that vCPUs do not wait for. */
  readonly ring: PostedRing;

  constructor(native: NativeVm) {
    this.#native = native;
    this.ring = new PostedRing(native);
  }

  /** Bytes that answer shadow reads. */
  get ioShadow(): ArrayBuffer {
    return this.#native.ioShadow;
  }

  checkExtension(capability: number): number {
    return guarded(() => this.#native.checkExtension(capability));
  }

  enableCap(capability: number, args: readonly bigint[] = []): void {
    guarded(() => this.#native.enableCap(capability, args));
  }

  /**
   * From now on, deleting a memslot leaves what the guest has mapped of others alone. Otherwise all is
   * unmapped, and the guest faults it in again page by page.
   *
   * @returns whether this KVM can do so (Linux 6.12)
   */
  unmapDeletedSlotsOnly(): boolean {
    const quirks = this.checkExtension(CAPABILITY.DISABLE_QUIRKS2);
    if ((quirks & KVM_X86_QUIRK.SLOT_ZAP_ALL) === 0) return false;
    this.enableCap(CAPABILITY.DISABLE_QUIRKS2, [BigInt(KVM_X86_QUIRK.SLOT_ZAP_ALL)]);
    return true;
  }

  /** KVM API 4.37: three pages for real mode on Intel, below 4 GiB. */
  setTssAddr(gpa: number): void {
    guarded(() => this.#native.setTssAddr(gpa));
  }

  /** KVM API 4.49: one page for real mode on Intel, below 4 GiB; before any vCPU. */
  setIdentityMapAddr(gpa: number): void {
    guarded(() => this.#native.setIdentityMapAddr(gpa));
  }

  /** PICs, I/O APIC and local APICs in the kernel; before any vCPU. */
  createIrqchip(): void {
    guarded(() => this.#native.createIrqchip());
  }

  createPit(): void {
    guarded(() => this.#native.createPit());
  }

  getState(kind: VmStateKind): Uint8Array {
    return guarded(() => this.#native.getState(kind));
  }

  setState(kind: VmStateKind, bytes: Uint8Array): void {
    guarded(() => this.#native.setState(kind, bytes));
  }

  /** Creates a slot, or moves or changes the one with this id (KVM API 4.35). */
  setMemslot(memslot: NativeMemslot): void {
    guarded(() => this.#native.setMemslot(memslot));
  }

  deleteMemslot(slot: number): void {
    guarded(() => this.#native.deleteMemslot(slot));
  }

  /** Deletes slots without keeping the event loop. Rejects with KvmError. */
  async deleteMemslots(slots: Uint32Array): Promise<void> {
    try {
      await this.#native.deleteMemslots(slots);
    } catch (error) {
      guarded(() => {
        throw error;
      });
    }
  }

  getDirtyLog(slot: number, bitmap: Uint8Array): void {
    guarded(() => this.#native.getDirtyLog(slot, bitmap));
  }

  setGsiRouting(entries: Uint32Array): void {
    guarded(() => this.#native.setGsiRouting(entries));
  }

  irqLine(gsi: number, level: boolean): void {
    guarded(() => this.#native.irqLine(gsi, level));
  }

  signalMsi(address: number, data: number): void {
    guarded(() => this.#native.signalMsi(address, data));
  }

  assignIrqfd(event: NativeEventFd, gsi: number): void {
    guarded(() => this.#native.assignIrqfd(event, gsi));
  }

  deassignIrqfd(event: NativeEventFd, gsi: number): void {
    guarded(() => this.#native.deassignIrqfd(event, gsi));
  }

  assignIoeventfd(options: NativeIoeventfd): void {
    guarded(() => this.#native.assignIoeventfd(options));
  }

  deassignIoeventfd(options: NativeIoeventfd): void {
    guarded(() => this.#native.deassignIoeventfd(options));
  }

  setCallbacks(callbacks: VmCallbacks): void {
    guarded(() => this.#native.setCallbacks(callbacks));
  }

  /** @returns offset of the range's bytes in `ioShadow` */
  addIoRange(range: NativeIoRange): number {
    return guarded(() => this.#native.addIoRange(range));
  }

  removeIoRange(space: IoSpace, base: number): void {
    guarded(() => this.#native.removeIoRange(space, base));
  }

  createVcpu(id: number): Vcpu {
    return new Vcpu(
      guarded(() => this.#native.createVcpu(id)),
      () => started.add(this),
    );
  }

  /** Stops every vCPU and gives everything back; no callback comes afterwards. Idempotent. */
  close(): void {
    started.delete(this);
    this.#native.close();
  }
}
