import type { IoHandler, IoSpace } from '../../bus/io-space.ts';
import { allOnes, readSized, writeSized } from '../../bytes.ts';
import { EXIT_KIND, KVM_EXIT, type VcpuExit } from '../../kvm/exit.ts';
import { isEmulationFailure } from '../../kvm/exit-text.ts';
import type { Vcpu } from '../../kvm/vcpu.ts';
import { log } from '../../log.ts';
import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';
import { GuestLog } from '../../virtio/guest-log.ts';
import { hex } from '../../units.ts';
import type { ZeroRead } from '../../devices/virtio-mem/plugged-memory.ts';
import { suspects } from './suspects.ts';
import type { Access, Violation, ViolationAction, ViolationPolicy } from './violation.ts';

/** EFAULT, as KVM_RUN gives it: KVM could not reach the memory behind an address of the guest. */
const EFAULT = 14;

const USES_UNPLUGGED = 'the guest uses memory that is not plugged';
const READS_ZEROS =
  'the guest reads memory that is not plugged, and sees zeros: as a crash kernel does, or whatever reads all memory, without the virtio_mem driver';

/** An access to unplugged memory. */
interface Use {
  readonly region: GuardedRegion;
  readonly vcpu: Vcpu;
  readonly gpa: number;
  readonly access: Access;
}

/** Memory of which the guest may use only what is plugged. */
export interface GuardedRegion {
  readonly id: string;
  readonly gpa: number;
  /** Bytes. */
  readonly size: number;
  /** Has the guest see zeros at an offset where nothing is plugged. */
  showZeros(offset: number): ZeroRead;
}

export interface UnpluggedGuardOptions {
  readonly regions: readonly GuardedRegion[];
  readonly memory: GuestMemoryAccess;
  readonly mmio: IoSpace;
  readonly policy: ViolationPolicy;
  /** Called before the vCPU gets its answer: its registers can be read, it can be paused. */
  readonly onViolation: (violation: Violation, action: ViolationAction, vcpu: Vcpu) => void;
}

/** Finds out when a guest uses memory that is not plugged, and says where. */
export class UnpluggedGuard {
  readonly #options: UnpluggedGuardOptions;
  readonly #log = new GuestLog(log('violations'));
  readonly #counts = new Map<string, number>();
  /** Those of them that saw zeros. */
  readonly #zeroReads = new Map<string, number>();
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

  /** Reads of a device's unplugged memory that saw zeros; a block counts once while it shows them. */
  zeroReads(id: string): number {
    return this.#zeroReads.get(id) ?? 0;
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
    const access = exit.isWrite ? 'write' : 'read';
    this.#report({ region, vcpu, gpa: exit.addr, access, action: this.#action(access) });
  }

  /**
   * Looks at an exit that nobody else serves.
   *
   * @returns whether it was about guarded memory: then the vCPU may have another try, unless
   *   `onViolation` has seen to something else
   */
  settle(vcpu: Vcpu, exit: VcpuExit): boolean {
    if (this.#options.regions.length === 0 || !mayConcernMemory(exit)) return false;
    let mayRetry = false;
    let unseen: Use | undefined;
    for (const { gpa, access } of suspects(vcpu, exit, this.#options.memory)) {
      const region = this.#regionAt(gpa);
      if (region === undefined) continue;
      if (this.#options.memory.isUsable(gpa, 1)) {
        mayRetry = true;
        continue;
      }
      const use = { region, vcpu, gpa, access };
      const zeros =
        this.#action(access) === 'zeros' ? region.showZeros(gpa - region.gpa) : undefined;
      if (zeros === 'later') return true;
      if (zeros === 'known' || zeros === 'refused') {
        // Another vCPU may have had it shown just now, or it is not this that keeps the guest from going on.
        unseen ??= use;
        if (zeros === 'known') mayRetry = true;
        continue;
      }
      if (zeros === 'shown') this.#retries.clear();
      this.#report({ ...use, action: this.#action(access) });
      return true;
    }
    if (mayRetry && this.#mayRetry(vcpu)) return true;
    if (unseen === undefined) return false;
    this.#report({ ...unseen, action: this.#options.policy.write });
    return true;
  }

  #action(access: Access): ViolationAction {
    const { read, write } = this.#options.policy;
    return access === 'read' ? read : write;
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

  #report({ region, vcpu, gpa, access, action }: Use & { action: ViolationAction }): void {
    const { id } = region;
    const { rip } = vcpu.registers();
    const violations = this.count(id) + 1;
    this.#counts.set(id, violations);
    const guest = { vcpu: vcpu.id, gpa: hex(gpa), rip: hex(rip), access };
    if (action === 'zeros') this.#zeroReads.set(id, this.zeroReads(id) + 1);
    this.#log.warn({ id, violations, guest }, action === 'zeros' ? READS_ZEROS : USES_UNPLUGGED);
    this.#options.onViolation({ device: id, vcpu: vcpu.id, gpa, rip, access }, action, vcpu);
  }

  /** Accesses that KVM brings us: those to memory that was plugged just now are done here. */
  #handler(base: number): IoHandler {
    const { memory, policy } = this.#options;
    const missing = policy.read === 'zeros' ? () => 0 : allOnes;
    const bytes = new Uint8Array(4);
    const view = new DataView(bytes.buffer);
    return {
      takesAnySize: true,
      read: (offset, size) => {
        if (!memory.read(base + offset, bytes, size)) return missing(size);
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
