import { HostError } from '../errors.ts';
import { memslotMetadataBytes, whenNesting, type MetadataModel } from '../memory/memslot-cost.ts';
import { pciInfo } from '../pci/info.ts';
import { version } from '../version.ts';
import type {
  AddressSpaceInfo,
  CpuInfo,
  IdleWindow,
  MachineControl,
  MachineStatus,
  MemoryBackendInfo,
  MemoryDeviceInfo,
  MemslotInfo,
  MemslotReport,
  MetadataCosts,
  NumaNodeInfo,
  ObjectInfo,
  PciFunctionInfo,
  PropertyValue,
} from './control.ts';
import { NO_IDENTITY, type MachineIdentity } from './config/identity-option.ts';
import type { MachineInspection } from './inspect/inspection.ts';
import { describeModel, metadataModel } from './host-kvm.ts';
import type { Machine } from './machine.ts';
import { cpuObject } from './cpu-objects.ts';
import { backendInfo, backendObject } from './backend-objects.ts';
import type { MemoryDevice } from './memory-devices.ts';
import { memoryDeviceInfo } from './memory-device-info.ts';
import { memoryDeviceObject, setDeviceProperty } from './memory-objects.ts';
import { addressSpaces } from './memory-tree.ts';
import { packageSize } from './numa.ts';

const BAR_KINDS = { io: 'io', memory32: 'mem32', memory64: 'mem64' } as const;

/** A machine as monitors see and drive it. */
export class ControlView implements MachineControl {
  readonly name: string;
  readonly uuid: string;
  readonly version = version();
  readonly #machine: Machine;

  constructor(machine: Machine, identity: MachineIdentity = NO_IDENTITY) {
    this.#machine = machine;
    this.name = identity.name;
    this.uuid = identity.uuid;
  }

  status(): MachineStatus {
    const { resets } = this.#machine;
    return resets.length === 0 ? this.#runState() : { ...this.#runState(), resets };
  }

  #runState(): MachineStatus {
    const { isRunning, hasEnded, pauseReason } = this.#machine;
    if (hasEnded) return { running: false, reason: 'shutdown' };
    if (!this.#machine.hasBegun) return { running: false, reason: 'prelaunch' };
    if (isRunning || pauseReason === undefined) return { running: isRunning };
    return { running: false, reason: pauseReason };
  }

  cpus(): readonly CpuInfo[] {
    const { config, shell } = this.#machine;
    const { vcpus } = shell;
    const packageCpus = packageSize(config);
    return vcpus.all.map(({ id, threadId }) => {
      const node = config.numa?.nodes.findIndex(({ cpus }) => cpus.includes(id));
      return {
        id,
        state: vcpus.isRunning(id) ? 'running' : 'paused',
        ...(threadId === 0 ? {} : { threadId }),
        socket: Math.floor(id / packageCpus),
        core: id % packageCpus,
        ...(node === undefined ? {} : { node }),
      };
    });
  }

  memoryDevices(): readonly MemoryDeviceInfo[] {
    const { memoryDevices, guard } = this.#machine;
    return memoryDevices.map((device) => memoryDeviceInfo(device, guard));
  }

  objects(): readonly ObjectInfo[] {
    return [
      ...this.#machine.shell.vcpus.all.map(cpuObject),
      ...this.#machine.memoryDevices.map(memoryDeviceObject),
      ...this.#machine.shell.backends.all.map(backendObject),
    ];
  }

  memoryBackends(): readonly MemoryBackendInfo[] {
    return this.#machine.shell.backends.all.map(backendInfo);
  }

  numaNodes(): readonly NumaNodeInfo[] {
    const { config, memoryDevices } = this.#machine;
    return (config.numa?.nodes ?? []).map(({ cpus, memorySize }, node) => {
      const own = memoryDevices.filter(({ device }) => device.properties.node === node);
      const pluggedSize = own.reduce((sum, { device }) => sum + device.sizes.pluggedSize, 0);
      return { cpus, bootMemorySize: memorySize, pluggedSize };
    });
  }

  memslots(): MemslotReport {
    const { table, host } = this.#machine.shell;
    const active = table.list();
    const slots: MemslotInfo[] = active.map(({ id, gpa, size, owner, isBootMemory }) => {
      return { id, gpa, size, device: owner, isBootMemory };
    });
    const model = metadataModel(host);
    const ram = active.filter((it) => it.isBootMemory).map(({ size }) => size);
    const regions = this.#machine.memoryDevices.map(({ backing }) => backing.size);
    const costs = (of: MetadataModel): MetadataCosts => {
      const sum = (sizes: readonly number[]): number =>
        sizes.reduce((all, size) => all + memslotMetadataBytes(size, of), 0);
      return {
        nowBytes: sum(active.map(({ size }) => size)),
        staticBytes: sum([...ram, ...regions]),
      };
    };
    return {
      slots,
      idle: () => this.#machine.memoryDevices.flatMap(idleWindows),
      limit: table.capacity,
      metadata: {
        ...costs(model),
        whenNesting: costs(whenNesting(model)),
        basis: describeModel(model),
      },
    };
  }

  pciFunctions(): readonly PciFunctionInfo[] {
    return pciInfo(this.#machine.platform.pci).map((it) => ({
      bus: it.bus,
      device: it.slot,
      function: it.fn,
      classCode: it.classCode >> 8,
      vendorId: it.vendor,
      deviceId: it.device,
      ...(it.subsystem === 0 && it.subsystemVendor === 0
        ? {}
        : { subsystem: { vendorId: it.subsystemVendor, id: it.subsystem } }),
      ...(it.interrupt === undefined
        ? {}
        : { interrupt: { line: it.interrupt.gsi, pin: it.interrupt.pin } }),
      bars: it.bars.map(({ index, kind, prefetchable, address, decoded, size }) => {
        const bar = { index, kind: BAR_KINDS[kind], prefetchable, size };
        return decoded ? { ...bar, addr: address } : bar;
      }),
      id: it.name,
    }));
  }

  addressSpaces(): readonly AddressSpaceInfo[] {
    return addressSpaces(this.#machine);
  }

  async inspect(): Promise<MachineInspection> {
    const { Inspector } = await import('./inspect/inspector.ts');
    return new Inspector(this.#machine);
  }

  setProperty(path: string, name: string, value: PropertyValue): void {
    this.#checkAlive();
    setDeviceProperty(this.#machine.memoryDevices, path, name, value);
  }

  async stop(): Promise<void> {
    this.#checkAlive();
    await this.#machine.stop();
  }

  async cont(): Promise<void> {
    this.#checkAlive();
    await this.#machine.cont();
  }

  async reset(): Promise<void> {
    this.#checkAlive();
    await this.#machine.reset();
  }

  powerDown(): void {
    this.#checkAlive();
    this.#machine.powerDown();
  }

  quit(): void {
    this.#machine.quit();
  }

  #checkAlive(): void {
    if (this.#machine.hasEnded) throw new HostError('MACHINE_ENDED', 'the machine has ended');
  }
}

function idleWindows({ device, container, backing }: MemoryDevice): readonly IdleWindow[] {
  const { id, memaddr } = device.properties;
  return container.inactiveIn(0, backing.size).map((window) => ({
    gpa: memaddr + container.windowOffset(window),
    size: container.windowLength(window),
    device: id,
  }));
}
