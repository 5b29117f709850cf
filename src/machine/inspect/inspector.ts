import { ConfigError, HostError } from '../../errors.ts';
import type { Vcpu } from '../../kvm/vcpu.ts';
import type { Machine } from '../machine.ts';
import { decodeDebugRegisters, decodeFpu } from './fpu-registers.ts';
import { readPhysical, readVirtual } from './guest-reader.ts';
import type {
  CpuRegisters,
  InterruptControllerInfo,
  InterruptCount,
  LocalApicInfo,
  MachineInspection,
  MemoryBytes,
  MemoryMapInfo,
  SavedMemory,
  StatGroup,
  VirtioDeviceInfo,
} from './inspection.ts';
import { decodeLocalApic, interruptControllers } from './interrupt-state.ts';
import { savePhysical, saveVirtual } from './memory-dump.ts';
import { memoryMap } from './memory-map.ts';
import { machineStats } from './stats.ts';
import { virtioDeviceInfo } from './virtio.ts';

/** KVM API 4.38. */
const MP_STATE_HALTED = 3;
/** A message to one local APIC by its id, delivery mode NMI (Intel SDM 3A, 11.11). */
const MSI_ADDRESS = 0xfee0_0000;
const MSI_DESTINATION_SHIFT = 12;
const MSI_DATA_NMI = 0x400;

/** Looks into a machine. */
export class Inspector implements MachineInspection {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  registers(cpu: number): Promise<CpuRegisters> {
    return this.#atRest(cpu, (vcpu) => ({
      general: vcpu.registers(),
      special: vcpu.specialRegisters(),
      fpu: decodeFpu(vcpu.getState('xsave')),
      debug: decodeDebugRegisters(vcpu.getState('debugregs')),
      halted: vcpu.getState('mp_state')[0] === MP_STATE_HALTED,
    }));
  }

  localApic(cpu: number): Promise<LocalApicInfo> {
    return this.#atRest(cpu, (vcpu) => decodeLocalApic(cpu, vcpu.getState('lapic')));
  }

  interruptControllers(): InterruptControllerInfo {
    this.#checkAlive();
    return interruptControllers(this.#machine.shell.vm);
  }

  interruptCounts(): readonly InterruptCount[] {
    return this.#machine.interrupts.counts();
  }

  injectNmi(): void {
    this.#checkAlive();
    const { vm, vcpus } = this.#machine.shell;
    for (const { id } of vcpus.all) {
      vm.signalMsi(MSI_ADDRESS + (id << MSI_DESTINATION_SHIFT), MSI_DATA_NMI);
    }
  }

  readPhysical(gpa: number, length: number): MemoryBytes {
    this.#checkAlive();
    return readPhysical(this.#machine.shell.memory, gpa, length);
  }

  readVirtual(cpu: number, address: bigint, length: number): Promise<MemoryBytes> {
    const { memory } = this.#machine.shell;
    return this.#atRest(cpu, (vcpu) =>
      readVirtual(memory, (linear) => vcpu.translate(linear), address, length),
    );
  }

  translate(cpu: number, address: bigint): Promise<number | undefined> {
    return this.#atRest(cpu, (vcpu) => vcpu.translate(address));
  }

  async savePhysical(gpa: number, size: number, path: string): Promise<SavedMemory> {
    this.#checkAlive();
    const { memory } = this.#machine.shell;
    return await this.#machine.during((signal) =>
      memory.holds.during('pmemsave', () => savePhysical(memory, gpa, size, { path, signal })),
    );
  }

  async saveVirtual(
    cpu: number,
    address: bigint,
    size: number,
    path: string,
  ): Promise<SavedMemory> {
    this.#checkAlive();
    this.#vcpu(cpu);
    const read = (at: bigint, length: number): Promise<MemoryBytes> =>
      this.readVirtual(cpu, at, length);
    const { holds } = this.#machine.shell.memory;
    return await this.#machine.during((signal) =>
      holds.during('memsave', () => saveVirtual(read, address, size, { path, signal })),
    );
  }

  virtioDevices(): readonly VirtioDeviceInfo[] {
    return this.#machine.transports.map(virtioDeviceInfo);
  }

  async memoryMap(id: string, cells: number): Promise<MemoryMapInfo> {
    this.#checkAlive();
    const memory = this.#machine.memoryDevices.find(({ device }) => device.id === id);
    if (memory !== undefined) return await memoryMap(memory, cells);
    throw new ConfigError('NO_OBJECT', `there is no memory device '${id}'`);
  }

  stats(): readonly StatGroup[] {
    return machineStats(this.#machine);
  }

  #vcpu(id: number): Vcpu {
    const { all } = this.#machine.shell.vcpus;
    const vcpu = all[id];
    if (vcpu !== undefined) return vcpu;
    const message = `there is no vCPU ${id}: they are 0 to ${all.length - 1}`;
    throw new ConfigError('NO_OBJECT', message);
  }

  async #atRest<T>(cpu: number, look: (vcpu: Vcpu) => T): Promise<T> {
    const vcpu = this.#vcpu(cpu);
    return await this.#machine.whileParked(() => look(vcpu));
  }

  #checkAlive(): void {
    if (this.#machine.hasEnded) throw new HostError('MACHINE_ENDED', 'the machine has ended');
  }
}
