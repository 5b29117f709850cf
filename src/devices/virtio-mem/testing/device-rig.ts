import { plainMemory } from '../../../memory/backing/anonymous.ts';
import type { Backing } from '../../../memory/backing.ts';
import { CountedMappings } from '../../../memory/testing/counted-mappings.ts';
import { MemoryHolds } from '../../../memory/memory-holds.ts';
import { MemslotContainer } from '../../../memory/memslot-container.ts';
import { MemslotTable } from '../../../memory/memslot-table.ts';
import { GIB, MIB } from '../../../units.ts';
import { FakeGuestMemory } from '../../../virtio/testing/fake-guest-memory.ts';
import { DriverQueue } from '../../../virtio/testing/driver-queue.ts';
import { TestDriver } from '../../../virtio/testing/test-driver.ts';
import { VirtioMem } from '../device.ts';
import { PluggedMemory } from '../plugged-memory.ts';
import { resolveProperties, type VirtioMemOptions } from '../properties.ts';
import { QUEUE_SIZE, REQUEST_SIZE, RESPONSE_SIZE } from '../spec.ts';

export const REGION_GPA = 4 * GIB;
export const BLOCK = 2 * MIB;

/** Host memory that is real, and fails when a test says so. */
export class FailingBacking implements Backing {
  readonly isCharged = false;
  readonly inner: Backing;
  failDiscard = false;
  failPopulate = false;

  constructor(size: number) {
    this.inner = plainMemory('test', size);
  }

  get size(): number {
    return this.inner.size;
  }

  get pageSize(): number {
    return this.inner.pageSize;
  }

  get sharedZeropage(): boolean {
    return this.inner.sharedZeropage;
  }

  get frees(): boolean {
    return this.inner.frees;
  }

  get discardMethod(): string {
    return this.inner.discardMethod;
  }

  get populateCanFail(): boolean {
    return this.inner.populateCanFail;
  }

  get mapping(): Backing['mapping'] {
    return this.inner.mapping;
  }

  discard(offset: number, length: number): void | Promise<void> {
    if (this.failDiscard) throw new Error('discard refused');
    return this.inner.discard(offset, length);
  }

  clear(offset: number, length: number): void | Promise<void> {
    return this.inner.clear(offset, length);
  }

  checkDiscards(): void {
    this.inner.checkDiscards();
  }

  startEmpty(): Promise<number> {
    return this.inner.startEmpty();
  }

  keep(): void {
    this.inner.keep();
  }

  secure(): Promise<void> | undefined {
    return undefined;
  }

  onLoss(): void {
    // This memory stays.
  }

  trouble(): string | undefined {
    return this.inner.trouble();
  }

  populate(offset: number, length: number): Promise<void> {
    if (this.failPopulate) return Promise.reject(new Error('no memory'));
    return this.inner.populate(offset, length);
  }

  close(): void {
    this.inner.close();
  }
}

/** Memslots as KVM would have them. */
export class SlotRecorder {
  readonly slots = new Map<number, { gpa: number; size: number }>();
  refuse = false;

  setMemslot(memslot: { slot: number; gpa: number; size: number }): void {
    if (this.refuse) throw new Error('memslot refused');
    this.slots.set(memslot.slot, { gpa: memslot.gpa, size: memslot.size });
  }

  deleteMemslot(slot: number): void {
    if (!this.slots.delete(slot)) throw new Error(`no slot ${slot}`);
  }

  deleteMemslots(slots: Uint32Array): Promise<void> {
    for (const slot of slots) this.deleteMemslot(slot);
    return Promise.resolve();
  }
}

/** A device with a driver before it and host memory behind it. */
export class DeviceRig {
  readonly device: VirtioMem;
  readonly memory: PluggedMemory;
  readonly backing: FailingBacking;
  readonly slots = new SlotRecorder();
  readonly container: MemslotContainer;
  readonly holds = new MemoryHolds();
  readonly driver: TestDriver;

  /** @param nodeCount  NUMA nodes of the machine */
  constructor(options: Partial<VirtioMemOptions> = {}, nodeCount = 0) {
    const properties = resolveProperties(
      { id: 'vm0', size: 8 * GIB, ...options },
      {
        thpSize: BLOCK,
        memoryBlock: 128 * MIB,
        pageSize: 4096,
        sharedZeropage: true,
        nodeCount,
        nextAddress: () => REGION_GPA,
        addressLimit: 2 ** 48,
      },
    );
    this.backing = new FailingBacking(properties.size);
    this.container = new MemslotContainer({
      table: new MemslotTable(this.slots, 1000),
      backing: this.backing,
      gpa: REGION_GPA,
      windowSize: properties.dynamicMemslots ? (properties.memslotSize ?? GIB) : properties.size,
      owner: properties.id,
    });
    if (!properties.dynamicMemslots) this.container.activate(0);
    this.memory = new PluggedMemory({
      id: properties.id,
      gpa: REGION_GPA,
      blockSize: properties.blockSize,
      backing: this.backing,
      container: this.container,
      dynamicMemslots: properties.dynamicMemslots,
      prealloc: properties.prealloc,
      protectWith: properties.protectUnplugged ? new CountedMappings(1000) : undefined,
    });
    this.device = new VirtioMem(properties, this.memory, this.holds);
    const memory = new FakeGuestMemory(0x4000 + DriverQueue.bytes(QUEUE_SIZE));
    this.driver = new TestDriver(this.device, { memory });
  }

  /** Sends raw bytes. @returns the answer's type, and the state for STATE */
  async raw(request: Uint8Array): Promise<{ type: number; state: number }> {
    const bytes = await this.driver.request(request, RESPONSE_SIZE);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { type: view.getUint16(0, true), state: view.getUint16(8, true) };
  }

  async ask(type: number, addr: number | bigint, count: number): Promise<number> {
    return (await this.raw(encode(type, addr, count))).type;
  }

  /** A field of the config space, by its offset. */
  config(offset: number): number {
    const high = this.device.readConfig(offset + 4, 4);
    return high * 2 ** 32 + this.device.readConfig(offset, 4);
  }

  close(): void {
    this.backing.close();
  }
}

export function encode(type: number, addr: number | bigint, count: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(REQUEST_SIZE));
  view.setUint16(0, type, true);
  view.setBigUint64(8, BigInt(addr), true);
  view.setUint16(16, count, true);
  return new Uint8Array(view.buffer);
}
