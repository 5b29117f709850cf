import { describe, expect, it } from 'vitest';
import { VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC, VIRTQ_USED_F_NO_NOTIFY } from './spec.ts';
import { SplitQueue, type DescriptorChain } from './split-queue.ts';
import { turnOfTheLoop } from './testing/event-loop.ts';
import { FakeGuestMemory, UNPLUGGED_FILL } from './testing/fake-guest-memory.ts';
import { BUFFERS_GPA, queueRig, type QueueRig } from './testing/queue-rig.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Pops what must be there. */
function take({ queue }: QueueRig): DescriptorChain {
  const chain = queue.pop();
  if (chain === undefined) throw new Error('no chain');
  return chain;
}

describe.each([
  ['plain descriptors', 0n],
  ['indirect tables and event indices', VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX],
])('a queue with %s', (_, features) => {
  it('hands a request over and its response back', () => {
    const rig = queueRig({ features });
    const head = rig.driver.send(bytes(1, 2, 3, 4), 6);
    const chain = take(rig);
    expect([chain.head, chain.readableLength, chain.writableLength]).toEqual([head, 4, 6]);
    const request = new Uint8Array(8);
    expect(chain.read(0, request, 8)).toBe(4);
    expect([...request]).toEqual([1, 2, 3, 4, 0, 0, 0, 0]);
    expect(chain.write(2, bytes(7, 8, 9), 3)).toBe(3);
    rig.queue.complete(chain, 5);
    expect(rig.driver.collect()).toEqual([{ head, writtenBytes: 5 }]);
    expect([...rig.driver.response(head, 4, 6)]).toEqual([0, 0, 7, 8, 9, 0]);
    expect(rig.queue.pop()).toBeUndefined();
    expect(rig.faults).toEqual([]);
  });

  it('goes on when the 16-bit indices wrap around', () => {
    const rig = queueRig({ features });
    let served = 0;
    for (let round = 0; round < 70_000; round++) {
      const head = rig.driver.send(bytes(round & 0xff), 1);
      const chain = take(rig);
      const request = new Uint8Array(1);
      chain.read(0, request, 1);
      chain.write(0, request, 1);
      rig.queue.complete(chain, 1);
      const used = rig.driver.collect();
      if (used[0]?.head === head && rig.driver.response(head, 1, 1)[0] === (round & 0xff)) served++;
    }
    expect(served).toBe(70_000);
    expect(rig.queue.info).toMatchObject({ nextAvail: 70_000 & 0xffff, requests: 70_000 });
  });

  it('is completed in any order', () => {
    const rig = queueRig({ features });
    const heads = [1, 2, 3].map((value) => rig.driver.send(bytes(value), 1));
    const chains = [take(rig), take(rig), take(rig)] as const;
    expect(rig.queue.info.inFlight).toBe(3);
    for (const index of [2, 0, 1] as const) rig.queue.complete(chains[index], index);
    expect(rig.driver.collect()).toEqual([
      { head: heads[2], writtenBytes: 2 },
      { head: heads[0], writtenBytes: 0 },
      { head: heads[1], writtenBytes: 1 },
    ]);
    expect(rig.queue.info.inFlight).toBe(0);
  });

  it('touches nothing after it was stopped', () => {
    const rig = queueRig({ features });
    rig.driver.send(bytes(1, 2), 2);
    rig.driver.send(bytes(3, 4), 2);
    const chain = take(rig);
    rig.queue.stop();
    const before = rig.memory.ram.slice();
    expect(chain.read(0, new Uint8Array(2), 2)).toBe(0);
    expect(chain.write(0, bytes(9, 9), 2)).toBe(0);
    rig.queue.complete(chain, 2);
    expect(rig.queue.pop()).toBeUndefined();
    expect(rig.memory.ram).toEqual(before);
    expect([rig.interrupts(), rig.faults]).toEqual([0, []]);
  });
});

describe('buffers', () => {
  it('are read and written across descriptors, from any offset', () => {
    const rig = queueRig();
    rig.memory.write(BUFFERS_GPA, bytes(1, 2, 3, 4, 5), 5);
    rig.driver.offer([
      { gpa: BUFFERS_GPA, length: 2, writable: false },
      { gpa: BUFFERS_GPA + 2, length: 0, writable: false },
      { gpa: BUFFERS_GPA + 2, length: 3, writable: false },
      { gpa: BUFFERS_GPA + 0x100, length: 1, writable: true },
      { gpa: BUFFERS_GPA + 0x200, length: 4, writable: true },
    ]);
    const chain = take(rig);
    expect([chain.readableLength, chain.writableLength, chain.bufferCount]).toEqual([5, 5, 5]);
    const into = new Uint8Array(5);
    expect(chain.read(1, into, 3)).toBe(3);
    expect([...into]).toEqual([2, 3, 4, 0, 0]);
    expect(chain.read(5, into, 1)).toBe(0);
    expect(chain.write(0, bytes(11, 12, 13, 14, 15, 16), 6)).toBe(5);
    expect(rig.memory.peek(BUFFERS_GPA + 0x100, 2)).toEqual(bytes(11, 0));
    expect(rig.memory.peek(BUFFERS_GPA + 0x200, 5)).toEqual(bytes(12, 13, 14, 15, 0));
  });

  it('may be as many as the queue has descriptors', () => {
    const rig = queueRig({ size: 64 });
    const buffer = { gpa: BUFFERS_GPA, length: 1, writable: false };
    rig.driver.offer(Array.from({ length: 64 }, () => buffer));
    expect(take(rig)).toMatchObject({ bufferCount: 64, readableLength: 64 });
  });
});

describe('completing', () => {
  it('refuses a chain that was completed before', () => {
    const rig = queueRig();
    rig.driver.send(bytes(1), 1);
    const chain = take(rig);
    rig.queue.complete(chain, 0);
    expect(() => rig.queue.complete(chain, 0)).toThrow('not in use');
  });

  it('drops a chain of the queue that was there before the reset', () => {
    const before = queueRig();
    before.driver.send(bytes(1), 1);
    const chain = take(before);
    const after = queueRig();
    after.driver.send(bytes(2), 1);
    take(after);
    after.queue.complete(chain, 1);
    expect(after.driver.collect()).toEqual([]);
  });
});

describe('interrupts', () => {
  it('follow the flag without EVENT_IDX', () => {
    const rig = queueRig();
    for (const [wanted, expected] of [
      [true, 1],
      [false, 1],
      [true, 2],
    ] as const) {
      rig.driver.wantInterrupts(wanted);
      rig.driver.send(bytes(1), 1);
      rig.queue.complete(take(rig), 0);
      expect(rig.interrupts()).toBe(expected);
    }
  });

  it('come at the entry that used_event names', () => {
    const rig = queueRig({ features: VIRTIO_F_EVENT_IDX });
    rig.driver.setUsedEvent(2);
    const counts = [0, 1, 2, 3].map(() => {
      rig.driver.send(bytes(1), 1);
      rig.queue.complete(take(rig), 0);
      return rig.interrupts();
    });
    expect(counts).toEqual([0, 0, 1, 1]);
  });
});

describe('kicks', () => {
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await turnOfTheLoop();
  }

  /** Serves what is there, then sleeps: the window is nothing at first. */
  function started(features: bigint): QueueRig {
    const rig = queueRig({ features });
    rig.queue.start((chain) => rig.queue.complete(chain, 0));
    return rig;
  }

  it('are not wanted while a request is being served, and wanted again afterwards', async () => {
    const rig = queueRig();
    const flags: number[] = [];
    rig.queue.start((chain) => {
      flags.push(rig.driver.usedFlags);
      rig.queue.complete(chain, 0);
    });
    rig.driver.send(bytes(1), 1);
    await turnOfTheLoop();
    expect(flags).toEqual([VIRTQ_USED_F_NO_NOTIFY]);
    // On a busy host the turn has lasted too long, and the ring is looked at once more.
    await until(() => rig.driver.usedFlags === 0);
  });

  it('are asked for at the next entry with EVENT_IDX, and the flags stay 0', async () => {
    const rig = started(VIRTIO_F_EVENT_IDX);
    await turnOfTheLoop();
    rig.driver.send(bytes(1), 1);
    expect(rig.driver.collect()).toHaveLength(1);
    await until(() => rig.driver.availEvent === 1);
    expect(rig.driver.usedFlags).toBe(0);
    rig.driver.send(bytes(1), 1);
    await until(() => rig.driver.availEvent === 2);
    expect(rig.driver.kicks).toBe(2);
  });

  it('are not needed for requests that came before the device started', async () => {
    const rig = queueRig();
    rig.driver.send(bytes(1), 1);
    rig.queue.start((chain) => rig.queue.complete(chain, 0));
    expect(rig.driver.collect()).toEqual([]);
    await turnOfTheLoop();
    expect(rig.driver.collect()).toHaveLength(1);
  });
});

describe('rings in memory that can be unplugged', () => {
  const SPARSE = 0x10_0000;

  function sparseRig(): QueueRig {
    const memory = new FakeGuestMemory(0x2_0000, { gpa: SPARSE, size: 0x1_0000 });
    memory.plug(SPARSE, 0x8000);
    return queueRig({ memory, gpa: SPARSE });
  }

  it('are served while they are plugged, also after other memory went away', () => {
    const rig = sparseRig();
    rig.memory.plug(SPARSE + 0xc000, 0x1000);
    rig.driver.send(bytes(1), 1);
    rig.memory.unplug(SPARSE + 0xc000, 0x1000);
    rig.queue.complete(take(rig), 0);
    expect(rig.driver.collect()).toHaveLength(1);
  });

  it.each(['pop', 'complete', 'start'] as const)('are not touched by %s when gone', (action) => {
    const rig = sparseRig();
    rig.driver.send(bytes(1), 1);
    const chain = action === 'complete' ? take(rig) : undefined;
    rig.memory.unplug(SPARSE, 0x8000);
    if (chain !== undefined) rig.queue.complete(chain, 0);
    else if (action === 'pop') expect(rig.queue.pop()).toBeUndefined();
    else {
      rig.queue.start(() => undefined);
      rig.queue.kick();
    }
    if (action === 'start') expect(rig.queue.pop()).toBeUndefined();
    expect(rig.memory.peek(SPARSE, 0x8000).every((byte) => byte === UNPLUGGED_FILL)).toBe(true);
    expect(rig.faults).toEqual([expect.stringContaining('is not all memory')]);
  });

  it('do not make a queue in RAM look again', () => {
    const memory = new FakeGuestMemory(0x2_0000);
    const rig = queueRig({ memory });
    memory.view = () => {
      throw new Error('looked again');
    };
    memory.generation += 1;
    rig.driver.send(bytes(1), 1);
    expect(rig.queue.pop()).toBeDefined();
  });
});

describe('addresses of a queue', () => {
  it.each([
    ['descriptors', 0x1008, 'descriptor area at 0x1008 is not aligned to 16'],
    ['avail', 0x2001, 'driver area at 0x2001 is not aligned to 2'],
    ['used', 0x3002, 'device area at 0x3002 is not aligned to 4'],
    ['descriptors', 0x1_ff90, 'is not all memory'],
    ['avail', 0x1_fffe, 'is not all memory'],
    ['used', 0x2_0000, 'is not all memory'],
    ['used', 2 ** 53, 'is not all memory'],
    ['descriptors', 2 ** 64 - 2 ** 12, 'is not all memory'],
  ] as const)('%s at %d break it', (area, gpa, message) => {
    const faults: string[] = [];
    const queue = new SplitQueue({
      index: 3,
      size: 8,
      addresses: { descriptors: 0x1000, avail: 0x2000, used: 0x3000, [area]: gpa },
      features: 0n,
      memory: new FakeGuestMemory(0x2_0000),
      interrupt: () => undefined,
      crowded: () => false,
      broken: (reason) => faults.push(reason),
    });
    expect(faults).toEqual([expect.stringContaining(message)]);
    expect(faults[0]).toMatch(/^queue 3: /);
    expect(queue.pop()).toBeUndefined();
  });
});
