import { messageOf } from '../errors.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import { log } from '../log.ts';
import type { PauseClock } from './config/machine-config.ts';

export interface GuestClockOptions {
  readonly vm: Pick<Vm, 'getState' | 'setState'>;
  readonly vcpus: readonly Pick<Vcpu, 'getMsrs' | 'tscOffset' | 'setTscOffset' | 'markPaused'>[];
  /** The clocks of our own devices. */
  readonly devices: { holdTime(): void; releaseTime(): void };
  /** What they all do while the machine is paused. */
  readonly whilePaused: PauseClock;
}

const IA32_TSC = new Uint32Array([0x10]);
/** kvm_clock_data: where its flags are. */
const FLAGS = { offset: 8, size: 4 } as const;

/** What the clocks that KVM keeps show. */
interface Reading {
  /** kvm_clock_data. */
  readonly clock: Uint8Array;
  /** TSC of the first vCPU. */
  readonly tsc: bigint | undefined;
}

/**
 * The guest's clocks over a pause: kvmclock, TSC, and those of our devices. Either all stand still
 * and go on from where they were, or all go on, and the guest sees a jump. Either way a guest that uses
 * kvmclock is told that it was stopped. Every method wants all vCPUs parked.
 *
 * Timers of local APICs and the PIT stay in KVM and go on: those that become due meanwhile fire
 * when the guest goes on, early by its clock, and a guest that looks at its clock waits again.
 */
export class GuestClock {
  readonly #options: GuestClockOptions;
  #held: Reading | undefined;

  constructor(options: GuestClockOptions) {
    this.#options = options;
  }

  /** The machine is paused. */
  hold(): void {
    if (this.#options.whilePaused === 'run') return;
    this.#options.devices.holdTime();
    this.#held = this.#read();
  }

  /** The machine is reset while it is paused: its TSC counts anew. */
  reset(): void {
    if (this.#held !== undefined) this.#held = this.#read();
  }

  /** The machine is about to go on. */
  release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) {
      this.#restore(held);
      this.#options.devices.releaseTime();
    }
    this.markPaused();
  }

  /** Tells the guest that it was stopped, where it can be told. */
  markPaused(): void {
    attempt('cannot tell the guest of the pause', () => {
      for (const vcpu of this.#options.vcpus) vcpu.markPaused();
    });
  }

  #read(): Reading {
    const { vm, vcpus } = this.#options;
    return { clock: vm.getState('clock'), tsc: vcpus[0] && tscOf(vcpus[0]) };
  }

  #restore({ clock, tsc }: Reading): void {
    const { vm, vcpus } = this.#options;
    const now = vcpus[0] && tscOf(vcpus[0]);
    if (tsc !== undefined && now !== undefined && now > tsc) {
      attempt("the guest's TSC was not stopped", () => {
        for (const vcpu of vcpus) {
          const offset = vcpu.tscOffset();
          if (offset !== undefined) vcpu.setTscOffset(offset - (now - tsc));
        }
      });
    }
    // After the TSC, from which the guest computes it. Without flags it is what is set, not later.
    const stopped = Uint8Array.from(clock);
    stopped.fill(0, FLAGS.offset, FLAGS.offset + FLAGS.size);
    attempt('kvmclock was not stopped', () => vm.setState('clock', stopped));
  }
}

function tscOf(vcpu: Pick<Vcpu, 'getMsrs'>): bigint | undefined {
  try {
    return vcpu.getMsrs(IA32_TSC)[0];
  } catch {
    return undefined;
  }
}

/** A clock that cannot be set is no reason to leave the guest standing. */
function attempt(what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    log('machine').warn({ why: messageOf(error) }, what);
  }
}
