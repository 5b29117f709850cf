import type { MappingBudget } from '../../../../memory/mapping-budget.ts';
import { CountedMappings } from '../../../../memory/testing/counted-mappings.ts';
import { MemoryHolds } from '../../../../memory/memory-holds.ts';
import { chooseWindowSize, MemslotContainer } from '../../../../memory/memslot-container.ts';
import { MemslotTable } from '../../../../memory/memslot-table.ts';
import type { DiscardListener } from '../../../../memory/discard-manager.ts';
import { FakeGuestMemory } from '../../../../virtio/testing/fake-guest-memory.ts';
import { DriverQueue } from '../../../../virtio/testing/driver-queue.ts';
import { turnOfTheLoop } from '../../../../virtio/testing/event-loop.ts';
import { TestDriver } from '../../../../virtio/testing/test-driver.ts';
import { VirtioMem } from '../../device.ts';
import { PluggedMemory } from '../../plugged-memory.ts';
import { resolveProperties } from '../../properties.ts';
import { QUEUE_SIZE, REQUEST_SIZE, RESPONSE_SIZE } from '../../spec.ts';
import { encode, REGION_GPA } from '../device-rig.ts';
import { Faults } from './faults.ts';
import { FaultyMemory, FaultySlots } from './faulty-host.ts';
import { optionsOf, type Shape } from './shape.ts';
import type { AnyRequest } from './any-request.ts';

/** Answers as the device gives them. */
export interface Answer {
  readonly type: 'ack' | 'nack' | 'busy' | 'error';
  readonly state: number;
}

const TYPES = ['ack', 'nack', 'busy', 'error'] as const;
const REQUESTS = { plug: 0, unplug: 1, 'unplug-all': 2, state: 3 } as const;
/** A device that takes longer has lost the request. */
const PATIENCE_MS = 20_000;

/** Listens, and complains of what no listener should hear. */
export class Audience implements DiscardListener {
  readonly populated: boolean[];
  readonly #blockSize: number;
  readonly #before: (offset: number, length: number) => void;

  /** @param before  may use what appears, or refuse it */
  constructor(shape: Shape, before: (offset: number, length: number) => void = () => undefined) {
    this.populated = Array.from({ length: shape.blocks }, () => false);
    this.#blockSize = shape.blockSize;
    this.#before = before;
  }

  onPopulate(offset: number, length: number): void {
    this.#before(offset, length);
    this.#set(offset, length, true);
  }

  onDiscard(offset: number, length: number): void {
    this.#set(offset, length, false);
  }

  #set(offset: number, length: number, is: boolean): void {
    for (let at = offset; at < offset + length; at += this.#blockSize) {
      const block = at / this.#blockSize;
      if (this.populated[block] !== !is)
        throw new Error(`block ${block} was ${String(is)} already`);
      this.populated[block] = is;
    }
  }
}

/** A device of some shape, a driver before it, and a host behind it that can be made to refuse. */
export class ModelRig {
  readonly shape: Shape;
  readonly base = REGION_GPA;
  readonly faults = new Faults();
  readonly slots = new FaultySlots(this.faults);
  readonly host: FaultyMemory;
  readonly table = new MemslotTable(this.slots, 1000);
  readonly budget: MappingBudget | undefined;
  readonly memory: PluggedMemory;
  readonly device: VirtioMem;
  readonly holds = new MemoryHolds();
  readonly driver: TestDriver;
  /** In the order they were registered; the last comes and goes. */
  readonly audience: readonly [Audience, Audience, Audience];

  constructor(shape: Shape) {
    this.shape = shape;
    this.host = new FaultyMemory(shape, this.faults);
    const { backing } = this.host;
    const properties = resolveProperties(optionsOf(shape), {
      thpSize: 4096,
      memoryBlock: 0x800_0000,
      pageSize: backing.pageSize,
      sharedZeropage: backing.sharedZeropage,
      nodeCount: 0,
      nextAddress: () => this.base,
      addressLimit: 2 ** 48,
    });
    const { id, size, blockSize, dynamicMemslots, memslotSize, prealloc } = properties;
    const windowSize = memslotSize ?? chooseWindowSize(size, blockSize, dynamicMemslots ? 900 : 1);
    const options = { table: this.table, backing, gpa: this.base, windowSize, owner: id };
    const container = new MemslotContainer({ ...options, mayShare: shape.sharesMemslots });
    if (!dynamicMemslots) container.activate(0);
    this.budget = properties.protectUnplugged ? new CountedMappings(shape.mappings) : undefined;
    this.memory = new PluggedMemory({
      ...{ id, gpa: this.base, blockSize, backing, container, prealloc },
      dynamicMemslots,
      protectWith: this.budget,
    });
    const refuse = (): void => this.faults.meet('listener');
    // What is there for a moment only may be written to all the same.
    const write = (offset: number, length: number): void => {
      if (this.faults.isNext('listener')) this.host.stain(offset, length);
    };
    this.audience = [new Audience(shape, write), new Audience(shape, refuse), new Audience(shape)];
    for (const listener of this.audience) this.memory.register(listener);
    this.device = new VirtioMem(properties, this.memory, this.holds);
    const memory = new FakeGuestMemory(0x4000 + DriverQueue.bytes(QUEUE_SIZE));
    this.driver = new TestDriver(this.device, { memory });
    this.driver.start();
  }

  /** Offers requests together. @returns their heads */
  send(requests: readonly AnyRequest[]): readonly number[] {
    return requests.map(({ type, addr, count }) => {
      return this.queue.send(encode(REQUESTS[type], BigInt(addr), count), RESPONSE_SIZE);
    });
  }

  /** Offers requests together. @throws Error when they are not all answered, in their order */
  async ask(requests: readonly AnyRequest[]): Promise<readonly Answer[]> {
    const heads = this.send(requests);
    const limit = performance.now() + PATIENCE_MS;
    const used: number[] = [];
    while (used.length < heads.length) {
      used.push(...this.queue.collect().map((it) => it.head));
      if (performance.now() > limit) throw new Error('no answer came');
      if (used.length < heads.length) await turnOfTheLoop();
    }
    if (used.join() !== heads.join()) throw new Error('answers are out of order');
    return heads.map((head) => {
      const bytes = this.queue.response(head, REQUEST_SIZE, RESPONSE_SIZE);
      const view = new DataView(bytes.buffer);
      const type = TYPES[view.getUint16(0, true)];
      if (type === undefined) throw new Error(`answer of type ${view.getUint16(0, true)}`);
      return { type, state: view.getUint16(8, true) };
    });
  }

  get queue(): DriverQueue {
    const [queue] = this.driver.queues;
    if (queue === undefined) throw new Error('the driver has not started');
    return queue;
  }

  /** As the machine does it: devices first, then their memory. @returns whether memory is back */
  async systemReset(): Promise<boolean> {
    this.driver.core.reset();
    try {
      await this.device.resetMemory();
      return true;
    } catch {
      return false;
    }
  }

  /** A field of 64 bits of the config space. */
  config(offset: number): number {
    const high = this.device.readConfig(offset + 4, 4);
    return high * 2 ** 32 + this.device.readConfig(offset, 4);
  }

  async close(): Promise<void> {
    this.faults.disarm();
    this.driver.core.reset();
    await this.device.idle();
    this.host.close();
  }
}
