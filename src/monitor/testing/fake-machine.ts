import { ConfigError } from '../../errors.ts';
import type {
  AddressSpaceInfo,
  CpuInfo,
  MachineControl,
  MachineStatus,
  MemoryBackendInfo,
  MemoryDeviceDetails,
  MemoryDeviceInfo,
  MemslotReport,
  NumaNodeInfo,
  ObjectInfo,
  PciFunctionInfo,
  PropertyValue,
} from '../../machine/control.ts';
import { GIB, MIB } from '../../units.ts';
import { FakeInspection } from './fake-inspection.ts';

interface FakeDevice {
  id: string;
  memaddr: number;
  node: number;
  requestedSize: number;
}

/** Details of a device by its number, that differ. */
function fakeDetails(index: number): MemoryDeviceDetails {
  const none = { count: 0, medianNs: 0, p99Ns: 0, maxNs: 0 };
  return {
    usableSize: 256 * MIB,
    memslots: { count: index, active: index, total: 8, size: GIB },
    convergence:
      index === 0
        ? { kind: 'converged', cause: 'size is as requested', forMs: 0 }
        : { kind: 'busy', cause: 'answered BUSY: no memory', forMs: 12_345 },
    nudges: index,
    heldRequests: 2,
    protection: { isOn: true, unprotectedBlocks: 3, violations: 4, zeroReads: 1 },
    answers: { ack: 5, nack: 6, busy: 7, error: 8 },
    latencies: {
      plug: { count: 812, medianNs: 2130, p99Ns: 14_300, maxNs: 2_300_000 },
      unplug: { count: 1, medianNs: 999, p99Ns: 999, maxNs: 3_000_000_000 },
      'unplug-all': none,
      state: none,
    },
  };
}

/** A machine of the tests: 4 GiB of RAM, two virtio-mem devices whose guest obeys at once. */
export class FakeMachine implements MachineControl {
  readonly name = 'test';
  readonly uuid = '550e8400-e29b-41d4-a716-446655440000';
  readonly version = '0.1.0';
  readonly calls: string[] = [];
  state: MachineStatus = { running: true };
  /** What `stop` waits for. */
  stopping: Promise<void> = Promise.resolve();
  readonly devices: FakeDevice[] = [
    { id: 'vm0', memaddr: 0x1_4000_0000, node: 0, requestedSize: 0 },
    { id: 'vm1', memaddr: 0x3_4000_0000, node: 1, requestedSize: GIB },
  ];

  nodes: readonly NumaNodeInfo[] = [
    { cpus: [0, 1], bootMemorySize: 3 * GIB, pluggedSize: 0 },
    { cpus: [2], bootMemorySize: GIB, pluggedSize: 200 * MIB },
    { cpus: [], bootMemorySize: 0, pluggedSize: 0 },
  ];

  status(): MachineStatus {
    return this.state;
  }

  cpus(): readonly CpuInfo[] {
    return [
      { id: 0, state: 'running', threadId: 4711, socket: 0, core: 0, node: 0 },
      { id: 1, state: 'halted', threadId: 4712, socket: 0, core: 1, node: 0 },
      { id: 2, state: 'waiting-for-sipi', socket: 1, core: 0, node: 1 },
    ];
  }

  memoryDevices(): readonly MemoryDeviceInfo[] {
    return this.devices.map((device, index) => ({
      ...device,
      type: 'virtio-mem',
      size: device.requestedSize,
      maxSize: 8 * GIB,
      blockSize: 2 * MIB,
      memdev: `/objects/mem${index}`,
      details: () => fakeDetails(index),
    }));
  }

  memoryBackends(): readonly MemoryBackendInfo[] {
    return this.devices.map((_device, index) => ({
      id: `mem${index}`,
      size: 8 * GIB,
      merge: false,
      dump: true,
      prealloc: false,
      share: false,
      reserve: true,
      policy: index === 0 ? 'default' : 'bind',
      hostNodes: index === 0 ? '' : '0-1',
      more: [{ name: 'page size', value: 4096 }],
    }));
  }

  numaNodes(): readonly NumaNodeInfo[] {
    return this.nodes;
  }

  objects(): readonly ObjectInfo[] {
    return [
      ...this.devices.map(
        ({ id, requestedSize }): ObjectInfo => ({
          path: `/machine/peripheral/${id}`,
          type: 'virtio-mem-pci',
          properties: [
            { name: 'memdev', type: 'string', value: '/objects/mem0', writable: false },
            { name: 'node', type: 'int', value: 0, writable: true },
            { name: 'prealloc', type: 'bool', value: false, writable: true },
            { name: 'requested-size', type: 'size', value: requestedSize, writable: true },
            { name: 'size', type: 'size', value: requestedSize, writable: false },
          ],
        }),
      ),
      { path: '/objects/mem0', type: 'memory-backend-ram', properties: [] },
      { path: '/objects/mem1', type: 'memory-backend-ram', properties: [] },
    ];
  }

  memslots(): MemslotReport {
    return {
      slots: [
        { id: 0, gpa: 0, size: 3 * GIB, device: 'ram', isBootMemory: true },
        { id: 1, gpa: 4 * GIB, size: GIB, device: 'ram', isBootMemory: true },
        { id: 2, gpa: 0x3_4000_0000, size: GIB, device: 'vm1', isBootMemory: false },
      ],
      idle: () => [{ gpa: 0x1_4000_0000, size: GIB, device: 'vm0' }],
      limit: 32764,
      metadata: {
        nowBytes: 13_189_000,
        staticBytes: 52_756_000,
        whenNesting: { nowBytes: 13_189_000, staticBytes: 52_756_000 },
        basis: 'shadow MMU, write tracking',
      },
    };
  }

  pciFunctions(): readonly PciFunctionInfo[] {
    return [
      {
        bus: 0,
        device: 0,
        function: 0,
        classCode: 0x0600,
        vendorId: 0x8086,
        deviceId: 0x29c0,
        bars: [],
        id: '',
      },
      {
        bus: 0,
        device: 1,
        function: 0,
        classCode: 0x00ff,
        vendorId: 0x1af4,
        deviceId: 0x1058,
        subsystem: { vendorId: 0x1af4, id: 0x1100 },
        interrupt: { line: 11, pin: 1 },
        bars: [
          { index: 0, kind: 'io', prefetchable: false, addr: 0xc040, size: 0x20 },
          { index: 1, kind: 'mem32', prefetchable: false, addr: 0xfebf_0000, size: 0x1000 },
          { index: 2, kind: 'mem64', prefetchable: true, size: 0x4000 },
          { index: 4, kind: 'mem64', prefetchable: true, addr: 0x8_0000_0000, size: 0x4000 },
        ],
        id: 'vm0',
      },
    ];
  }

  addressSpaces(): readonly AddressSpaceInfo[] {
    return [
      {
        name: 'memory',
        root: {
          start: 0,
          size: 2 ** 40,
          kind: 'container',
          name: 'system',
          children: [
            { start: 0, size: 3 * GIB, kind: 'ram', name: 'ram', memory: { offset: 0 } },
            { start: 4 * GIB, size: GIB, kind: 'ram', name: 'ram', memory: { offset: 3 * GIB } },
            {
              start: 8 * GIB,
              size: 2 * GIB,
              kind: 'container',
              name: 'vm0',
              children: [
                {
                  start: 9 * GIB,
                  size: GIB,
                  kind: 'ram',
                  name: 'memslot 2',
                  memory: { backend: 'mem0', offset: GIB },
                },
              ],
            },
          ],
        },
      },
      {
        name: 'I/O',
        root: {
          start: 0,
          size: 0x10000,
          kind: 'container',
          name: 'io',
          children: [{ start: 0x3f8, size: 8, kind: 'i/o', name: 'serial' }],
        },
      },
    ];
  }

  inspect(): Promise<FakeInspection> {
    return Promise.resolve(new FakeInspection(this.calls));
  }

  setProperty(path: string, name: string, value: PropertyValue): void {
    this.calls.push(`set ${path} ${name} ${String(value)}`);
    const device = this.devices.find(({ id }) => path === `/machine/peripheral/${id}`);
    if (device === undefined || typeof value !== 'number') return;
    if (value % (2 * MIB) !== 0) {
      throw new ConfigError('UNALIGNED', `${name}=${value}: not a multiple of 2 MiB`);
    }
    device.requestedSize = value;
  }

  async stop(): Promise<void> {
    this.calls.push('stop');
    await this.stopping;
    this.state = { running: false };
  }

  cont(): Promise<void> {
    this.calls.push('cont');
    this.state = { running: true };
    return Promise.resolve();
  }

  reset(): Promise<void> {
    this.calls.push('reset');
    return Promise.resolve();
  }

  powerDown(): void {
    this.calls.push('powerDown');
  }

  quit(): void {
    this.calls.push('quit');
  }
}
