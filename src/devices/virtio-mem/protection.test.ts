import { afterEach, describe, expect, it } from 'vitest';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { MIB } from '../../units.ts';
import { VIRTIO_STATUS_DEVICE_NEEDS_RESET } from '../../virtio/spec.ts';
import { DriverQueue } from '../../virtio/testing/driver-queue.ts';
import { TestDriver } from '../../virtio/testing/test-driver.ts';
import type { VirtioMemOptions } from './properties.ts';
import { BLOCK, DeviceRig, encode, FailingBacking, REGION_GPA } from './testing/device-rig.ts';
import {
  QUEUE_SIZE,
  RESPONSE_SIZE,
  VIRTIO_MEM_REQ_PLUG as PLUG,
  VIRTIO_MEM_REQ_STATE as STATE,
  VIRTIO_MEM_REQ_UNPLUG as UNPLUG,
  VIRTIO_MEM_REQ_UNPLUG_ALL as UNPLUG_ALL,
  VIRTIO_MEM_RESP_ACK as ACK,
  VIRTIO_MEM_RESP_BUSY as BUSY,
} from './spec.ts';

const BASE = REGION_GPA;
/** More than is discarded, and protected, in one go on the event loop. */
const MANY = 64;

const open: { close(): void }[] = [];
afterEach(() => {
  for (const it of open.splice(0)) it.close();
});

function started(options: Partial<VirtioMemOptions> = {}): DeviceRig {
  const rig = new DeviceRig({ requestedSize: 512 * MIB, protectUnplugged: 'on', ...options });
  open.push(rig);
  rig.driver.start();
  return rig;
}

const byte = Uint8Array.of(7);

function isAccessible({ backing }: DeviceRig, block: number): boolean {
  try {
    backing.mapping.write(block * BLOCK, byte);
    return true;
  } catch (error) {
    expect(String(error)).toContain('not writable');
    return false;
  }
}

describe.each([true, false])('with dynamic memslots: %s', (dynamicMemslots) => {
  it('only plugged blocks are accessible', async () => {
    const rig = started({ dynamicMemslots });
    expect(isAccessible(rig, 0)).toBe(false);
    expect(await rig.ask(PLUG, BASE + BLOCK, 2)).toBe(ACK);
    expect([0, 1, 2, 3].map((block) => isAccessible(rig, block))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(await rig.ask(UNPLUG, BASE + BLOCK, 1)).toBe(ACK);
    expect([1, 2].map((block) => isAccessible(rig, block))).toEqual([false, true]);
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(ACK);
    expect(isAccessible(rig, 2)).toBe(false);
  });

  it.each([1, MANY])('%d blocks are protected before they are freed', async (count) => {
    const rig = started({ dynamicMemslots });
    await rig.ask(PLUG, BASE, count);
    const seen: boolean[] = [];
    const discard = rig.backing.discard.bind(rig.backing);
    rig.backing.discard = (offset, length) => {
      seen.push(isAccessible(rig, offset / BLOCK), isAccessible(rig, count - 1));
      return discard(offset, length);
    };
    expect(await rig.ask(UNPLUG, BASE, count)).toBe(ACK);
    await rig.ask(PLUG, BASE, count);
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(ACK);
    expect(seen).toEqual([false, false, false, false]);
  });
});

describe('what fails is undone', () => {
  it.each([1, MANY])('%d blocks that cannot be freed are accessible again', async (count) => {
    const rig = started();
    await rig.ask(PLUG, BASE, count);
    rig.backing.failDiscard = true;
    expect(await rig.ask(UNPLUG, BASE, count)).toBe(BUSY);
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(BUSY);
    rig.backing.failDiscard = false;
    expect(isAccessible(rig, 0)).toBe(true);
    expect(isAccessible(rig, count - 1)).toBe(true);
  });

  it('a refused memslot leaves nothing accessible', async () => {
    const rig = started({ dynamicMemslots: true });
    rig.slots.refuse = true;
    expect(await rig.ask(PLUG, BASE, 1)).toBe(BUSY);
    expect(isAccessible(rig, 0)).toBe(false);
  });

  it.each([false, true])('memory is there to be allocated first; failing: %s', async (fails) => {
    const rig = started({ prealloc: true });
    rig.backing.failPopulate = fails;
    expect(await rig.ask(PLUG, BASE, 2)).toBe(fails ? BUSY : ACK);
    expect(await rig.backing.mapping.residentBytes(0, 2 * BLOCK)).toBe(fails ? 0 : 2 * BLOCK);
    expect(isAccessible(rig, 1)).toBe(!fails);
  });
});

/*
 * Whatever JavaScript would touch of protected memory ends this process with SIGSEGV: that these
 * tests come to their end is what they test.
 */
describe('devices keep off what is protected', () => {
  /** A device, and guest memory in which it lies, RAM before it. */
  function scene() {
    const rig = started();
    const ram = new FailingBacking(MIB);
    open.push(ram);
    const memory = new GuestMemory();
    memory.add({ name: 'ram', gpa: 0, size: MIB, mapping: ram.mapping, offset: 0 });
    memory.add({
      name: 'vm0',
      gpa: BASE,
      size: rig.backing.size,
      mapping: rig.backing.mapping,
      offset: 0,
      discards: rig.memory,
    });
    return { rig, memory };
  }

  const needsReset = (driver: TestDriver): boolean =>
    (driver.core.status & VIRTIO_STATUS_DEVICE_NEEDS_RESET) !== 0;

  it.each([1, MANY])('a response in the %d blocks that its request unplugs', async (count) => {
    const { rig, memory } = scene();
    const driver = new TestDriver(rig.device, { memory });
    driver.start();
    await rig.memory.plug(0, count);
    const at = 0x1000 + DriverQueue.bytes(QUEUE_SIZE);
    const request = encode(UNPLUG, BASE, count);
    memory.write(at, request, request.length);
    memory.write(BASE, byte, 1);
    const told = driver.interrupt();
    driver.queues[0]?.offer([
      { gpa: at, length: request.length, writable: false },
      { gpa: BASE, length: RESPONSE_SIZE, writable: true },
    ]);
    await told;
    expect(needsReset(driver)).toBe(true);
    // Nothing was done that could not be answered.
    expect(rig.memory.pluggedSize).toBe(count * BLOCK);
    expect(memory.read(BASE, new Uint8Array(1), 1)).toBe(true);
  });

  it.each([
    ['response', UNPLUG_ALL, BASE + BLOCK],
    ['response', PLUG, BASE + 8 * BLOCK],
    ['response', PLUG, 2 ** 40],
    ['request', PLUG, BASE + 8 * BLOCK],
  ])(
    'a %s to a request of type %d that is at %d, before anything is done',
    async (what, type, gpa) => {
      const { rig, memory } = scene();
      const driver = new TestDriver(rig.device, { memory });
      driver.start();
      await rig.memory.plug(0, 2);
      const at = 0x1000 + DriverQueue.bytes(QUEUE_SIZE);
      // Plugs what the request, or its response, is in.
      const request = encode(type, BASE + 8 * BLOCK, type === PLUG ? 1 : 0);
      memory.write(at, request, request.length);
      // What was asked before must not be done again for a request that cannot be read.
      driver.queues[0]?.send(encode(PLUG, BASE + 4 * BLOCK, 1), RESPONSE_SIZE);
      await driver.interrupt();
      expect(rig.memory.pluggedSize).toBe(3 * BLOCK);
      await rig.memory.unplug(4, 1);
      const told = driver.interrupt();
      driver.queues[0]?.offer([
        { gpa: what === 'request' ? gpa : at, length: request.length, writable: false },
        { gpa: what === 'response' ? gpa : at + 64, length: RESPONSE_SIZE, writable: true },
      ]);
      await told;
      expect(needsReset(driver)).toBe(true);
      expect(rig.memory.pluggedSize).toBe(2 * BLOCK);
      expect(rig.device.answers.ack).toBe(1);
    },
  );

  it('rings in the blocks that a request would unplug', async () => {
    const rig = started();
    const memory = new GuestMemory();
    const { size, mapping } = rig.backing;
    memory.add({ name: 'vm0', gpa: BASE, size, mapping, offset: 0, discards: rig.memory });
    await rig.memory.plug(0, 1);
    const driver = new TestDriver(rig.device, { memory, gpa: BASE });
    driver.start();
    const told = driver.interrupt();
    driver.queues[0]?.send(encode(UNPLUG_ALL, 0, 0), RESPONSE_SIZE);
    await told;
    expect(needsReset(driver)).toBe(true);
    expect(rig.memory.pluggedSize).toBe(BLOCK);
  });

  it.each([1, MANY])('rings in %d blocks that go while a kick comes', async (count) => {
    const { rig, memory } = scene();
    await rig.memory.plug(0, count);
    const other = started();
    const driver = new TestDriver(other.device, { memory, gpa: BASE });
    driver.start();
    driver.queues[0]?.send(encode(STATE, BASE, 1), RESPONSE_SIZE);
    await driver.interrupt();
    const told = driver.interrupt();
    const gone = rig.memory.unplugAll();
    // Before the blocks are protected, between the steps of that, and after.
    for (let turn = 0; turn < 10; turn++) {
      driver.core.kick(0);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all([gone, told]);
    driver.core.kick(0);
    expect(needsReset(driver)).toBe(true);
  });
});
