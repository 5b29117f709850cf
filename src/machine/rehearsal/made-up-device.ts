import { VirtioMem } from '../../devices/virtio-mem/device.ts';
import { PluggedMemory } from '../../devices/virtio-mem/plugged-memory.ts';
import { resolveProperties } from '../../devices/virtio-mem/properties.ts';
import {
  VIRTIO_MEM_REQ_PLUG,
  VIRTIO_MEM_REQ_STATE,
  VIRTIO_MEM_REQ_UNPLUG,
  VIRTIO_MEM_REQ_UNPLUG_ALL,
} from '../../devices/virtio-mem/spec.ts';
import { addon } from '../../kvm/addon.ts';
import type { Backing } from '../../memory/backing.ts';
import { openAnonymous } from '../../memory/backing/anonymous.ts';
import { plainSpec } from '../../memory/backing/spec.ts';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { MemslotContainer } from '../../memory/memslot-container.ts';
import { MemslotTable } from '../../memory/memslot-table.ts';
import { GIB, MIB, PAGE_SIZE } from '../../units.ts';
import { VirtioCore } from '../../virtio/core.ts';
import { DRIVER_BYTES, MadeUpDriver, type MadeUpRequest } from './made-up-driver.ts';

const ID = 'rehearsal';
const GPA = 4 * GIB;
const BLOCK = 2 * MIB;
const BLOCKS = 32;
const WINDOW_BLOCKS = BLOCKS / 2;

/** What is asked for one step after the other. */
const SCENES: readonly (readonly MadeUpRequest[])[] = scenes();

/** The first block of each window stays, so that memslots come and go only with UNPLUG_ALL. */
function scenes(): readonly (readonly MadeUpRequest[])[] {
  const blocks = Array.from({ length: BLOCKS }, (_, block) => block);
  const firsts = blocks.filter((block) => block % WINDOW_BLOCKS === 0);
  const others = blocks.filter((block) => block % WINDOW_BLOCKS !== 0);
  const ask = (type: number, which: readonly number[]): readonly MadeUpRequest[] =>
    which.map((block) => ({ type, gpa: GPA + block * BLOCK }));
  const round = [
    ask(VIRTIO_MEM_REQ_PLUG, others),
    ask(VIRTIO_MEM_REQ_STATE, others),
    ask(VIRTIO_MEM_REQ_UNPLUG, others),
  ];
  return [
    ask(VIRTIO_MEM_REQ_PLUG, firsts),
    ...[round, round, round, round].flat(),
    [{ type: VIRTIO_MEM_REQ_UNPLUG_ALL, gpa: 0 }],
  ];
}

/** A VM for nobody: memslots cost nothing and map nothing. */
const NO_VM = {
  setMemslot: (): void => undefined,
  deleteMemslot: (): void => undefined,
  deleteMemslots: (): Promise<void> => Promise.resolve(),
};
const NO_GUEST = {
  crowded: () => false,
  queueInterrupt: (): void => undefined,
  configInterrupt: (): void => undefined,
  activated: (): void => undefined,
  reset: (): void => undefined,
};

/**
 * A small memory device that belongs to no machine, with its driver. It is made of what real ones are
 * made of. There is no way to close it: the engine would throw away all code that it has compiled for
 * memory that can be looked at, once some of it is gone.
 */
export class MadeUpDevice {
  readonly device: VirtioMem;
  readonly #driver: MadeUpDriver;
  readonly #ram: Backing;
  #scene = 0;
  #steps = 0;

  /** @throws HostError when there is no address space for it */
  constructor() {
    const context = {
      thpSize: BLOCK,
      pageSize: PAGE_SIZE,
      memoryBlock: BLOCK,
      sharedZeropage: true,
      nodeCount: 0,
    };
    const properties = resolveProperties(
      { id: ID, size: BLOCKS * BLOCK, blockSize: BLOCK, dynamicMemslots: true },
      { ...context, nextAddress: () => GPA, addressLimit: 2 * GPA },
    );
    const { size } = properties;
    const ram = openAnonymous({ ...plainSpec(ID, DRIVER_BYTES), share: true, thp: false });
    this.#ram = ram;
    const backing = openAnonymous({ ...plainSpec(ID, size, BLOCK), thp: false });
    const container = new MemslotContainer({
      table: new MemslotTable(NO_VM, BLOCKS),
      backing,
      gpa: GPA,
      windowSize: WINDOW_BLOCKS * BLOCK,
      owner: ID,
      mayShare: true,
    });
    const plugged = new PluggedMemory({
      id: ID,
      gpa: GPA,
      blockSize: BLOCK,
      backing,
      container,
      dynamicMemslots: true,
      prealloc: false,
      protectWith: addon.shareMappings(true),
    });
    const memory = new GuestMemory();
    memory.add({ name: ID, gpa: 0, size: ram.size, mapping: ram.mapping, offset: 0 });
    const region = { name: ID, gpa: GPA, size, mapping: backing.mapping, offset: 0 };
    memory.add({ ...region, discards: plugged });
    this.device = new VirtioMem(properties, plugged, memory.holds);
    // As a machine has them: its guard, its reports.
    this.device.onSizeChange(() => undefined);
    this.device.onSizeChange(() => this.#scene);
    this.device.setRequestedSize(size);
    this.#driver = new MadeUpDriver(new VirtioCore(this.device, memory, NO_GUEST), memory);
  }

  /** Requests that were answered in all. */
  get answered(): number {
    return this.device.answers.ack;
  }

  /** Gives back the few pages that it has touched: it is not used any more. */
  async rest(): Promise<void> {
    // On a slow machine requests are under way still, and rings that turn into zeros look broken.
    this.#driver.stop();
    await this.#ram.discard(0, DRIVER_BYTES);
  }

  /** Makes up to 30 requests, unless some are under way. */
  step(): void {
    if (!this.#driver.isIdle) return;
    // A driver that starts anew gets a new queue: code must not be compiled for a single one.
    if (this.#scene === 0) this.#driver.start();
    const requests = SCENES[this.#scene] ?? [];
    this.#driver.send(requests, this.#steps % 2 === 0);
    this.#steps += 1;
    this.#scene = (this.#scene + 1) % SCENES.length;
  }
}
