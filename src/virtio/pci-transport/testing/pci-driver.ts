import { FakeDoorbells } from '../../../bus/testing/fake-doorbells.ts';
import { createPciRig, type PciRig, type RigSlot } from '../../../pci/testing/pci-rig.ts';
import { DriverQueue } from '../../testing/driver-queue.ts';
import { EchoDevice } from '../../testing/echo-device.ts';
import { FakeGuestMemory } from '../../testing/fake-guest-memory.ts';
import { featureWord } from '../../core.ts';
import { VirtioPci } from '../virtio-pci.ts';

/** Offsets in struct virtio_pci_common_cfg (virtio 1.3 §4.1.4.3). */
export const COMMON = {
  deviceFeatureSelect: 0,
  deviceFeature: 4,
  driverFeatureSelect: 8,
  driverFeature: 12,
  configMsixVector: 16,
  numQueues: 18,
  deviceStatus: 20,
  configGeneration: 21,
  queueSelect: 22,
  queueSize: 24,
  queueMsixVector: 26,
  queueEnable: 28,
  queueNotifyOff: 30,
  queueDesc: 32,
  queueDriver: 40,
  queueDevice: 48,
} as const;

/** A capability as it lies in configuration space. */
export interface FoundCapability {
  /** Register that it starts at. */
  readonly at: number;
  readonly length: number;
  readonly type: number;
  readonly bar: number;
  readonly offset: number;
  readonly size: number;
}

const SLOT = 3;
const VENDOR = 0x09;

/** An echo device on a PCI bus, and a driver that knows it only by configuration space and MMIO. */
export class PciDriver {
  readonly device = new EchoDevice();
  readonly memory = new FakeGuestMemory(0x2_0000);
  readonly doorbells = new FakeDoorbells();
  readonly rig: PciRig = createPciRig();
  readonly transport: VirtioPci;
  readonly config: RigSlot;
  /** GSI of the wire. */
  readonly gsi: number;
  queues: DriverQueue[] = [];

  constructor() {
    const { device, memory, doorbells } = this;
    this.transport = new VirtioPci({ device, memory, doorbells });
    this.rig.bus.addFunction(this.transport.function, { slot: SLOT });
    this.config = this.rig.slot(SLOT);
    this.gsi = this.config.read(0x3c, 1);
  }

  /** The vendor-specific capabilities, in the order of the list. */
  capabilities(): FoundCapability[] {
    const found: FoundCapability[] = [];
    const { read } = this.config;
    for (let at = read(0x34, 1); at !== 0; at = read(at + 1, 1)) {
      if (read(at, 1) !== VENDOR) continue;
      found.push({
        at,
        length: read(at + 2, 1),
        type: read(at + 3, 1),
        bar: read(at + 4, 1),
        offset: read(at + 8),
        size: read(at + 12),
      });
    }
    return found;
  }

  capability(type: number): FoundCapability {
    const found = this.capabilities().find((each) => each.type === type);
    if (found === undefined) throw new Error(`no capability of type ${type}`);
    return found;
  }

  /** Where a BAR's register says that it is. */
  barAddress(index: number): number {
    return this.config.read(0x10 + 4 * index) & ~0xf & 0xffff_ffff;
  }

  /** Guest-physical address of a structure. */
  address(type: number): number {
    const { bar, offset } = this.capability(type);
    return (this.barAddress(bar) >>> 0) + offset;
  }

  read(offset: number, size: number): number {
    return this.rig.mmio.read(this.address(1) + offset, size);
  }

  write(offset: number, size: number, value: number): void {
    this.rig.mmio.write(this.address(1) + offset, size, value);
  }

  get status(): number {
    return this.read(COMMON.deviceStatus, 1);
  }

  set status(status: number) {
    this.write(COMMON.deviceStatus, 1, status);
  }

  get isr(): number {
    return this.rig.mmio.read(this.address(3), 1);
  }

  offeredFeatures(): bigint {
    let features = 0n;
    for (const word of [0, 1, 2, 3]) {
      this.write(COMMON.deviceFeatureSelect, 4, word);
      features |= BigInt(this.read(COMMON.deviceFeature, 4)) << BigInt(32 * word);
    }
    return features;
  }

  accept(features: bigint): void {
    for (const word of [0, 1, 2, 3]) {
      this.write(COMMON.driverFeatureSelect, 4, word);
      this.write(COMMON.driverFeature, 4, featureWord(features, word));
    }
  }

  /** Resets and negotiates everything. */
  negotiate(features: bigint = this.offeredFeatures()): void {
    this.status = 0;
    this.status = 1;
    this.status = 3;
    this.accept(features);
    this.status = 11;
  }

  /** Address to which a queue's kicks go. */
  notifyAddress(queue: number): number {
    this.write(COMMON.queueSelect, 2, queue);
    const { at } = this.capability(2);
    return this.address(2) + this.read(COMMON.queueNotifyOff, 2) * this.config.read(at + 16);
  }

  /** Puts a queue into memory and enables it. Its kicks ring doorbells, or are writes. */
  setUpQueue(queue: number, features: bigint): DriverQueue {
    this.write(COMMON.queueSelect, 2, queue);
    const size = this.read(COMMON.queueSize, 2);
    const gpa = 0x1000 + queue * 0x8000;
    const made = new DriverQueue({
      memory: this.memory,
      gpa,
      size,
      features,
      kick: () => this.kick(queue),
    });
    const { descriptors, avail, used } = made.addresses;
    this.rig.mmio.write64(this.address(1) + COMMON.queueDesc, BigInt(descriptors));
    this.rig.mmio.write64(this.address(1) + COMMON.queueDriver, BigInt(avail));
    this.rig.mmio.write64(this.address(1) + COMMON.queueDevice, BigInt(used));
    this.write(COMMON.queueEnable, 2, 1);
    return made;
  }

  /** The whole way to DRIVER_OK. */
  start(): void {
    const features = this.offeredFeatures();
    this.negotiate(features);
    const count = this.read(COMMON.numQueues, 2);
    this.queues = Array.from({ length: count }, (_, index) => this.setUpQueue(index, features));
    this.status = 15;
  }

  /** Writes a queue's number where its kicks go, as a guest: a doorbell there takes it. */
  kick(queue: number): void {
    const gpa = this.notifyAddress(queue);
    if (!this.doorbells.ring(gpa)) this.rig.mmio.write(gpa, 2, queue);
  }

  /** Enables MSI-X and gives each vector a message whose data is 0x40 plus the vector. */
  enableMsix(): void {
    const at = this.config.capability(0x11);
    const vectors = (this.config.read(at + 2, 2) & 0x7ff) + 1;
    const table = this.config.read(at + 4);
    const base = (this.barAddress(table & 7) >>> 0) + (table & ~7);
    for (let vector = 0; vector < vectors; vector++) {
      this.rig.mmio.write(base + 16 * vector, 4, 0xfee0_0000);
      this.rig.mmio.write(base + 16 * vector + 4, 4, 0);
      this.rig.mmio.write(base + 16 * vector + 8, 4, 0x40 + vector);
      this.rig.mmio.write(base + 16 * vector + 12, 4, 0);
    }
    this.config.write(at + 2, 0x8000, 2);
  }
}
