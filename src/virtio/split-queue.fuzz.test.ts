import { describe, expect, it } from 'vitest';
import { VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC, VIRTQ_DESC_SIZE } from './spec.ts';
import { FakeGuestMemory } from './testing/fake-guest-memory.ts';
import { queueRig, type QueueRig } from './testing/queue-rig.ts';

const SPARSE = 0x10_0000;
const RING_BYTES = 0x200;

/** Numbers from a seed, so that a failure can be had again. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Descriptors that are wrong in one place more often than everywhere. */
function scribble(rig: QueueRig, random: (limit: number) => number): void {
  const { descriptors, avail } = rig.driver.addresses;
  const ram = rig.memory.ram;
  if (random(4) === 0) {
    for (let count = random(40); count > 0; count--) {
      ram[descriptors + random(RING_BYTES)] = random(256);
    }
    return;
  }
  for (let index = 0; index < rig.queue.size; index++) {
    const gpas = [
      0x1_0000,
      0x1_fff0,
      0x2_0000,
      SPARSE,
      SPARSE + 0x800,
      0,
      2 ** 52,
      descriptors,
      avail,
    ];
    rig.driver.setDescriptor(index, {
      gpa: random(20) === 0 ? 2n ** 64n - BigInt(random(64)) : (gpas[random(9)] ?? 0) + random(32),
      length:
        random(8) === 0 ? random(2 ** 32) : random(8) * (random(2) === 0 ? VIRTQ_DESC_SIZE : 1),
      flags: random(16) === 0 ? random(65_536) : random(8),
      next: random(16) === 0 ? random(65_536) : random(rig.queue.size),
    });
  }
  for (let count = random(4); count > 0; count--) {
    rig.driver.offerHead(random(16) === 0 ? random(65_536) : random(rig.queue.size));
  }
  if (random(16) === 0) rig.driver.setAvailIndex(random(65_536));
}

/** What a device does with requests: reads, writes, completes, in an order of its own. */
function serve(rig: QueueRig, random: (limit: number) => number): number {
  const bytes = new Uint8Array(64);
  let taken = 0;
  for (let chain = rig.queue.pop(); chain !== undefined; chain = rig.queue.pop()) {
    taken += 1;
    expect(chain.bufferCount).toBeLessThanOrEqual(rig.queue.size);
    expect(chain.readableLength + chain.writableLength).toBeLessThanOrEqual(2 ** 32);
    expect(chain.read(random(64), bytes, random(64))).toBeLessThanOrEqual(64);
    expect(chain.write(random(64), bytes, random(64))).toBeLessThanOrEqual(64);
    if (random(4) !== 0) rig.queue.complete(chain, random(64));
  }
  return taken;
}

describe('a queue full of nonsense', () => {
  it.each([0n, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX])(
    'with features %d never throws, breaks at most once, and ends',
    (features) => {
      let taken = 0;
      let broken = 0;
      for (let seed = 0; seed < 1500; seed++) {
        const random = randomFrom(seed);
        const memory = new FakeGuestMemory(0x2_0000, { gpa: SPARSE, size: 0x1000 });
        memory.plug(SPARSE, 0x800);
        const rig = queueRig({ memory, features, size: 8 });
        for (let round = 0; round < 6; round++) {
          scribble(rig, random);
          taken += serve(rig, random);
        }
        expect(rig.faults.length).toBeLessThanOrEqual(1);
        expect(memory.peek(SPARSE + 0x800, 0x800).every((byte) => byte === 0xee)).toBe(true);
        broken += rig.faults.length;
      }
      // The test is worth something only if both happen.
      expect(taken).toBeGreaterThan(200);
      expect(broken).toBeGreaterThan(200);
    },
  );
});
