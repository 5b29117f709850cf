import type { InitialCpuState } from '../boot/cpu-state.ts';
import type { CpuidTable } from '../kvm/addon.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import { cpuidFor, type Topology } from './cpuid.ts';
import { applyInitialState } from './initial-state.ts';
import { PowerOnState } from './reset-state.ts';

/** The vCPUs of a machine: they park and run together. */
export class VcpuSet {
  readonly #vcpus: readonly Vcpu[];
  readonly #powerOn: readonly PowerOnState[];
  readonly #running = new Set<number>();
  #onAllParked: (() => void)[] = [];

  constructor(vm: Vm, supported: CpuidTable, topology: Topology) {
    this.#vcpus = Array.from({ length: topology.cpus }, (_, id) => {
      const vcpu = vm.createVcpu(id);
      vcpu.setCpuid(cpuidFor(supported, id, topology));
      return vcpu;
    });
    this.#powerOn = this.#vcpus.map((vcpu) => new PowerOnState(vcpu));
  }

  get all(): readonly Vcpu[] {
    return this.#vcpus;
  }

  /** @throws RangeError when there is none with this id */
  get(id: number): Vcpu {
    const vcpu = this.#vcpus[id];
    if (vcpu === undefined) throw new RangeError(`there is no vCPU ${id}`);
    return vcpu;
  }

  isRunning(id: number): boolean {
    return this.#running.has(id);
  }

  /** Puts every vCPU back to power-on; the first begins where the boot loader says. All are parked. */
  boot(state: InitialCpuState, first: boolean): void {
    for (const [id, vcpu] of this.#vcpus.entries()) {
      if (!first) this.#powerOn[id]?.restore(vcpu);
      // The others wait for the first to start them (INIT, SIPI), as KVM left them.
      if (id === 0) applyInitialState(vcpu, state);
    }
  }

  run(): void {
    for (const vcpu of this.#vcpus) {
      this.#running.add(vcpu.id);
      vcpu.run();
    }
  }

  /** Resolves once no vCPU runs. Exits that wait for an answer must get one meanwhile. */
  park(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onAllParked.push(resolve);
      for (const id of this.#running) this.get(id).pause();
    });
  }

  /** The exit dispatch saw a vCPU park. */
  parked(id: number): void {
    this.#running.delete(id);
    if (this.#running.size > 0) return;
    for (const resolve of this.#onAllParked.splice(0)) resolve();
  }
}
