import { describe, expect, it } from 'vitest';
import {
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_INDIRECT as INDIRECT,
  VIRTQ_DESC_F_NEXT as NEXT,
  VIRTQ_DESC_F_WRITE as WRITE,
} from './spec.ts';
import { putDescriptor, type RawDescriptor } from './testing/driver-queue.ts';
import { FakeGuestMemory } from './testing/fake-guest-memory.ts';
import { BUFFERS_GPA, queueRig, type QueueRig } from './testing/queue-rig.ts';

const TABLE = 0x1_8000;
const buffer = { gpa: BUFFERS_GPA, length: 16 };

/** Offers head 0 with these descriptors in the queue's own table. */
function offer(rig: QueueRig, descriptors: readonly RawDescriptor[]): void {
  descriptors.forEach((descriptor, index) => rig.driver.setDescriptor(index, descriptor));
  rig.driver.offerHead(0);
}

/** Offers an indirect table. */
function offerTable(rig: QueueRig, table: readonly RawDescriptor[], length?: number): void {
  const view = rig.memory.view(TABLE, 0x1000)!;
  table.forEach((descriptor, index) => putDescriptor(view, index, descriptor));
  offer(rig, [{ gpa: TABLE, length: length ?? table.length * 16, flags: INDIRECT }]);
}

function expectBroken(rig: QueueRig, message: string): void {
  expect(rig.queue.pop()).toBeUndefined();
  expect(rig.faults).toEqual([expect.stringContaining(message)]);
  // Once and until the reset: a good request that follows is not served either.
  rig.driver.setDescriptor(1, buffer);
  rig.driver.offerHead(1);
  expect(rig.queue.pop()).toBeUndefined();
  expect(rig.faults).toHaveLength(1);
  expect(rig.queue.info.broken).toContain(message);
}

describe('a queue is broken by', () => {
  it('an avail index further ahead than the queue is long', () => {
    const rig = queueRig();
    rig.driver.setAvailIndex(9);
    expectBroken(rig, 'avail index went 9 ahead in a queue of 8');
  });

  it('an avail index that goes back', () => {
    const rig = queueRig();
    rig.driver.send(Uint8Array.of(1), 1);
    rig.queue.complete(rig.queue.pop()!, 0);
    rig.driver.setAvailIndex(0);
    expectBroken(rig, 'avail index went 65535 ahead');
  });

  it('a head beyond the queue', () => {
    const rig = queueRig();
    rig.driver.offerHead(8);
    expectBroken(rig, 'head 8 is not below 8');
  });

  it('a head that is in use', () => {
    const rig = queueRig();
    offer(rig, [buffer]);
    expect(rig.queue.pop()).toBeDefined();
    rig.driver.offerHead(0);
    expectBroken(rig, 'head 0 is in use already');
  });

  it('a next descriptor beyond the queue', () => {
    const rig = queueRig();
    offer(rig, [{ ...buffer, flags: NEXT, next: 8 }]);
    expectBroken(rig, 'next descriptor 8 is not below 8');
  });

  it('a chain that is its own next', () => {
    const rig = queueRig();
    offer(rig, [{ ...buffer, flags: NEXT, next: 0 }]);
    expectBroken(rig, 'loops or has more than 8 descriptors');
  });

  it('a loop of two', () => {
    const rig = queueRig();
    offer(rig, [
      { ...buffer, flags: NEXT, next: 1 },
      { ...buffer, flags: NEXT, next: 0 },
    ]);
    expectBroken(rig, 'loops or has more than 8 descriptors');
  });

  it('a readable buffer after a writable one', () => {
    const rig = queueRig();
    offer(rig, [{ ...buffer, flags: WRITE | NEXT, next: 1 }, buffer]);
    expectBroken(rig, 'device-readable buffer after a device-writable one');
  });

  it('more than 2^32 bytes', () => {
    const rig = queueRig();
    offer(rig, [
      { gpa: 0, length: 0xffff_ffff, flags: NEXT, next: 1 },
      { gpa: 0, length: 2 },
    ]);
    expectBroken(rig, 'more than 2^32 bytes');
  });

  it('an indirect table that was not negotiated', () => {
    const rig = queueRig();
    offerTable(rig, [buffer]);
    expectBroken(rig, 'indirect, which was not negotiated');
  });
});

describe('a queue with indirect tables is broken by', () => {
  const indirectRig = (): QueueRig => queueRig({ features: VIRTIO_F_INDIRECT_DESC });

  it.each([0, 8, 17, 24, 0xffff_ffff, 32769 * 16])('a table of %d bytes', (length) => {
    const rig = indirectRig();
    offerTable(rig, [buffer], length);
    expectBroken(rig, `indirect table of ${length} bytes`);
  });

  it.each([
    ['beyond memory', 0x2_0000n, 16],
    ['that starts beyond 2^63', 2n ** 64n - 16n, 16],
    ['that ends beyond memory', 0x1_fff0n, 32],
    ['of many chunks that ends beyond memory', 0x1_f000n, 0x1010],
  ])('a table %s', (_, gpa, length) => {
    const rig = indirectRig();
    offer(rig, [{ gpa, length, flags: INDIRECT }]);
    expectBroken(rig, 'is not all memory');
  });

  it('a table with a next', () => {
    const rig = indirectRig();
    offer(rig, [{ gpa: TABLE, length: 16, flags: INDIRECT | NEXT, next: 1 }, buffer]);
    expectBroken(rig, 'is indirect and has a next');
  });

  it('a table in a table', () => {
    const rig = indirectRig();
    offerTable(rig, [{ gpa: TABLE, length: 16, flags: INDIRECT }]);
    expectBroken(rig, 'is nested');
  });

  it('a next beyond the table', () => {
    const rig = indirectRig();
    offerTable(rig, [{ ...buffer, flags: NEXT, next: 2 }, buffer]);
    expectBroken(rig, 'next descriptor 2 is outside a table of 2');
  });

  it('a loop in the table', () => {
    const rig = indirectRig();
    offerTable(rig, [{ ...buffer, flags: NEXT, next: 0 }]);
    expectBroken(rig, 'loops or has more than 8 descriptors');
  });

  it('more descriptors than the queue has, before and in the table together', () => {
    const rig = indirectRig();
    const table = Array.from({ length: 8 }, (_, index) => ({
      ...buffer,
      flags: index === 7 ? 0 : NEXT,
      next: index + 1,
    }));
    const view = rig.memory.view(TABLE, 0x1000)!;
    table.forEach((descriptor, index) => putDescriptor(view, index, descriptor));
    offer(rig, [
      { ...buffer, flags: NEXT, next: 1 },
      { gpa: TABLE, length: 128, flags: INDIRECT },
    ]);
    expectBroken(rig, 'loops or has more than 8 descriptors');
  });

  it('a readable buffer in the table after a writable one before it', () => {
    const rig = indirectRig();
    putDescriptor(rig.memory.view(TABLE, 16)!, 0, buffer);
    offer(rig, [
      { ...buffer, flags: NEXT | WRITE, next: 1 },
      { gpa: TABLE, length: 16, flags: INDIRECT },
    ]);
    expectBroken(rig, 'device-readable buffer after a device-writable one');
  });
});

describe('an indirect table may', () => {
  it('follow plain descriptors, carry a write flag and jump between its chunks', () => {
    const rig = queueRig({ size: 32, features: VIRTIO_F_INDIRECT_DESC });
    const view = rig.memory.view(TABLE, 64 * 16)!;
    putDescriptor(view, 0, { ...buffer, length: 1, flags: NEXT, next: 40 });
    putDescriptor(view, 40, { ...buffer, length: 2, flags: NEXT, next: 3 });
    putDescriptor(view, 3, { ...buffer, length: 4, flags: WRITE });
    offer(rig, [
      { ...buffer, length: 8, flags: NEXT, next: 1 },
      { gpa: TABLE, length: 64 * 16, flags: INDIRECT | WRITE },
    ]);
    expect(rig.queue.pop()).toMatchObject({ readableLength: 11, writableLength: 4 });
    expect(rig.faults).toEqual([]);
  });
});

describe('a buffer outside memory', () => {
  const SPARSE = 0x10_0000;

  it.each([
    ['beyond RAM', 0x2_0000n, 'outside memory'],
    ['across the end of RAM', 0x1_fff8n, 'outside memory'],
    ['at the end of the address space', 2n ** 64n - 8n, 'outside memory'],
    ['in unplugged memory', BigInt(SPARSE), 'outside memory'],
  ])('%s breaks the queue when it is used', (_, gpa, message) => {
    for (const flags of [0, WRITE]) {
      const memory = new FakeGuestMemory(0x2_0000, { gpa: SPARSE, size: 0x1000 });
      const rig = queueRig({ memory });
      offer(rig, [{ gpa, length: 16, flags }]);
      const chain = rig.queue.pop()!;
      const copied =
        flags === 0
          ? chain.read(0, new Uint8Array(16), 16)
          : chain.write(0, new Uint8Array(16), 16);
      expect(copied).toBe(0);
      expect(rig.faults).toEqual([expect.stringContaining(message)]);
      rig.queue.complete(chain, 16);
      expect(rig.driver.usedIndex).toBe(0);
    }
  });
});
