import type { IoHandler, IoSpace } from '../../bus/io-space.ts';
import { allOnes, readSized, writeSized } from '../../bytes.ts';
import { EXIT_KIND, KVM_EXIT, type VcpuExit } from '../../kvm/exit.ts';
import { isEmulationFailure } from '../../kvm/exit-text.ts';
import type { Vcpu } from '../../kvm/vcpu.ts';
import { log } from '../../log.ts';
import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';
import { GuestLog } from '../../virtio/guest-log.ts';
import { hex } from '../../units.ts';
import { suspects } from './suspects.ts';
import type { Access, Violation } from './violation.ts';

/** EFAULT, as KVM_RUN gives it: KVM could not reach the memory behind an address of the guest. */
const EFAULT = 14;

/** Memory of which the guest may use only what is plugged. */
export interface GuardedRegion {
  readonly id: string;
  readonly gpa: number;
  /** Bytes. */
  readonly size: number;
}

export interface UnpluggedGuardOptions {
  readonly regions: readonly GuardedRegion[];
  readonly memory: GuestMemoryAccess;
  readonly mmio: IoSpace;
  /** Called before the vCPU gets its answer: its registers can be read, it can be paused. */
  readonly onViolation: (violation: Violation, vcpu: Vcpu) => void;
}

/** Finds out when a guest uses memory that is not plugged, and says where. */
export class UnpluggedGuard {
  readonly #options: UnpluggedGuardOptions;
  readonly #log = new GuestLog(log('violations'));
  readonly #counts = new Map<string, number>();
  /** What each vCPU last tried again, since when nothing was plugged. */
  readonly #retries = new Map<number, bigint>();

  constructor(options: UnpluggedGuardOptions) {
    this.#options = options;
    for (const region of options.regions) {
      const { id, gpa: base, size } = region;
      options.mmio.add({ name: `${id} unplugged`, base, size, handler: this.#handler(base) });
    }
  }

  /** Violations of a device so far. */
  count(id: string): number {
    return this.#counts.get(id) ?? 0;
  }

  /** Memory was plugged: what failed before may succeed. */
  plugged(): void {
    this.#retries.clear();
  }

  /** An access to a port or MMIO has been served and is to be answered. */
  served(vcpu: Vcpu, exit: VcpuExit): void {
    if (exit.kind !== EXIT_KIND.mmio) return;
    const region = this.#regionAt(exit.addr);
    if (region === undefined || this.#options.memory.isUsable(exit.addr, exit.size)) return;
    this.#report(region, vcpu, exit.addr, exit.isWrite ? 'write' : 'read');
  }

  /**
   * Looks at an exit that nobody else serves.
   *
   * @returns whether it was about guarded memory: then the vCPU may have another try, unless
   *   `onViolation` has seen to something else
   */
  settle(vcpu: Vcpu, exit: VcpuExit): boolean {
    if (this.#options.regions.length === 0 || !mayConcernMemory(exit)) return false;
    let isPlugged = false;
    for (const { gpa, access } of suspects(vcpu, exit, this.#options.memory)) {
      const region = this.#regionAt(gpa);
      if (region === undefined) continue;
      if (this.#options.memory.isUsable(gpa, 1)) {
        isPlugged = true;
        continue;
      }
      this.#report(region, vcpu, gpa, access);
      return true;
    }
    return isPlugged && this.#mayRetry(vcpu);
  }

  /** Plugged in the meantime: worth one more try, and not more than one. */
  #mayRetry(vcpu: Vcpu): boolean {
    const { rip } = vcpu.registers();
    if (this.#retries.get(vcpu.id) === rip) return false;
    this.#retries.set(vcpu.id, rip);
    return true;
  }

  #regionAt(gpa: number): GuardedRegion | undefined {
    return this.#options.regions.find((it) => gpa >= it.gpa && gpa < it.gpa + it.size);
  }

  #report(region: GuardedRegion, vcpu: Vcpu, gpa: number, access: Access): void {
    const { id } = region;
    const { rip } = vcpu.registers();
    const violations = this.count(id) + 1;
    this.#counts.set(id, violations);
    const guest = { vcpu: vcpu.id, gpa: hex(gpa), rip: hex(rip), access };
    this.#log.warn({ id, violations, guest }, 'the guest uses memory that is not plugged');
    this.#options.onViolation({ device: id, vcpu: vcpu.id, gpa, rip, access }, vcpu);
  }

  /** Accesses that KVM brings us: those to memory that was plugged just now are done here. */
  #handler(base: number): IoHandler {
    const { memory } = this.#options;
    const bytes = new Uint8Array(4);
    const view = new DataView(bytes.buffer);
    return {
      read: (offset, size) => {
        if (!memory.read(base + offset, bytes, size)) return allOnes(size);
        return readSized(view, 0, size);
      },
      write: (offset, size, value) => {
        writeSized(view, 0, size, value);
        // Refused where it is not plugged.
        memory.write(base + offset, bytes, size);
      },
    };
  }
}

function mayConcernMemory(exit: VcpuExit): boolean {
  if (exit.kind === EXIT_KIND.runFailed) return exit.errno === EFAULT;
  if (exit.kind !== EXIT_KIND.other) return false;
  return exit.reason === KVM_EXIT.MEMORY_FAULT || isEmulationFailure(exit);
}
