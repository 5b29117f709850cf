import { SplitQueue } from '../split-queue.ts';
import { DriverQueue } from './driver-queue.ts';
import { FakeGuestMemory } from './fake-guest-memory.ts';

export interface QueueRig {
  readonly memory: FakeGuestMemory;
  readonly driver: DriverQueue;
  readonly queue: SplitQueue;
  /** Interrupts so far. */
  readonly interrupts: () => number;
  /** Why the queue broke, each time it said so. */
  readonly faults: string[];
}

export interface QueueRigOptions {
  readonly size?: number;
  readonly features?: bigint;
  readonly memory?: FakeGuestMemory;
  /** Where the rings go; default 0x1000. */
  readonly gpa?: number;
}

/** A queue and the driver's side of it, over made-up memory; kicks reach the queue. */
export function queueRig(options: QueueRigOptions = {}): QueueRig {
  const { size = 8, features = 0n, memory = new FakeGuestMemory(0x2_0000), gpa = 0x1000 } = options;
  const faults: string[] = [];
  let interrupts = 0;
  const driver: DriverQueue = new DriverQueue({
    memory,
    gpa,
    size,
    features,
    kick: () => queue.kick(),
  });
  const queue: SplitQueue = new SplitQueue({
    index: 0,
    size,
    addresses: driver.addresses,
    features,
    memory,
    interrupt: () => {
      interrupts += 1;
    },
    crowded: () => false,
    broken: (reason) => faults.push(reason),
  });
  return { memory, driver, queue, interrupts: () => interrupts, faults };
}

/** Where a test may put buffers: beyond the rings of a small queue. */
export const BUFFERS_GPA = 0x1_0000;
