import { setLogLevel } from '../../log.ts';
import {
  describeDiscardManager,
  type DiscardRig,
} from '../../memory/testing/discard-manager-contract.ts';
import { GIB, MIB } from '../../units.ts';
import { BlockDiscards } from './block-discards.ts';
import { BlockMap } from './block-map.ts';
import type { VirtioMemOptions } from './properties.ts';
import {
  VIRTIO_MEM_REQ_PLUG as PLUG,
  VIRTIO_MEM_REQ_UNPLUG as UNPLUG,
  VIRTIO_MEM_REQ_UNPLUG_ALL as UNPLUG_ALL,
  VIRTIO_MEM_RESP_ACK as ACK,
  VIRTIO_MEM_RESP_BUSY as BUSY,
} from './spec.ts';
import { DeviceRig, REGION_GPA } from './testing/device-rig.ts';

setLogLevel('silent');

/** A device, changed by its guest's requests. */
function device(options: Partial<VirtioMemOptions>): DiscardRig {
  const size = 4 * GIB;
  const rig = new DeviceRig({ size, requestedSize: size, ...options });
  rig.driver.start();
  const { granularity } = rig.memory;
  const ask = async (type: number, first: number, count: number): Promise<number> => {
    const answer = await rig.ask(type, REGION_GPA + first * granularity, count);
    if (answer !== ACK && answer !== BUSY) throw new Error(`answered ${answer}`);
    return answer;
  };
  return {
    manager: rig.memory,
    size,
    populate: async (first, count) => (await ask(PLUG, first, count)) === ACK,
    discard: async (first, count) => {
      await ask(UNPLUG, first, count);
    },
    discardAll: async () => {
      await ask(UNPLUG_ALL, 0, 0);
    },
    close: () => rig.close(),
  };
}

describeDiscardManager('a device with one memslot', () => device({}));

describeDiscardManager('a device with memslots, protection and preallocation', () =>
  device({ dynamicMemslots: true, memslotSize: 4 * MIB, prealloc: true }),
);

describeDiscardManager('a device of large blocks', () =>
  device({ blockSize: 64 * MIB, dynamicMemslots: true }),
);

/** The bookkeeping alone. */
class Blocks extends BlockDiscards implements DiscardRig {
  readonly manager = this;
  readonly size = 40 * MIB;

  constructor() {
    super(MIB, new BlockMap(40));
  }

  populate(first: number, count: number): Promise<boolean> {
    try {
      this.listeners.populate(first * MIB, count * MIB);
    } catch {
      return Promise.resolve(false);
    }
    this.map.plug(first, count);
    return Promise.resolve(true);
  }

  discard(first: number, count: number): Promise<void> {
    this.map.unplug(first, count);
    this.listeners.discard(first * MIB, count * MIB);
    return Promise.resolve();
  }

  async discardAll(): Promise<void> {
    const runs: [number, number][] = [];
    this.map.forEachPlugged(0, 40, (...run) => runs.push(run));
    for (const run of runs) await this.discard(...run);
  }

  close(): void {
    // Nothing is open.
  }
}

describeDiscardManager('the bookkeeping of blocks', () => new Blocks());
