import { afterEach, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { GIB, MIB } from '../../units.ts';
import {
  VIRTIO_MEM_REQ_PLUG as PLUG,
  VIRTIO_MEM_REQ_UNPLUG as UNPLUG,
  VIRTIO_MEM_RESP_ACK as ACK,
  VIRTIO_MEM_RESP_BUSY as BUSY,
} from './spec.ts';
import { BLOCK, DeviceRig, REGION_GPA as BASE } from './testing/device-rig.ts';

setLogLevel('silent');

/** Of the rig's table. The device has 2048 windows, and nothing was promised to it. */
const SLOTS = 1000;
const EXHAUSTED = `answered BUSY: vm0: all ${SLOTS} memslots of this KVM are in use`;
const open: DeviceRig[] = [];

function started(): DeviceRig {
  const rig = new DeviceRig({
    size: 4 * GIB,
    requestedSize: 4 * GIB,
    dynamicMemslots: true,
    memslotSize: 2 * MIB,
  });
  open.push(rig);
  rig.driver.start();
  return rig;
}

afterEach(() => {
  for (const rig of open.splice(0)) rig.close();
});

describe('when the memslots of the machine are all in use', () => {
  it('a plug is BUSY, and the device says whose fault that is', async () => {
    const rig = started();
    expect(await rig.ask(PLUG, BASE, SLOTS)).toBe(ACK);
    expect(await rig.ask(PLUG, BASE + SLOTS * BLOCK, 1)).toBe(BUSY);
    expect(rig.slots.slots.size).toBe(SLOTS);
    expect(rig.memory.pluggedSize).toBe(SLOTS * BLOCK);
    expect(rig.device.convergence.cause).toBe(EXHAUSTED);
  });

  it('one that would need too many leaves none behind', async () => {
    const rig = started();
    expect(await rig.ask(PLUG, BASE, SLOTS + 1)).toBe(BUSY);
    expect(rig.slots.slots.size).toBe(0);
    expect(rig.container.activeCount).toBe(0);
    expect(rig.memory.pluggedSize).toBe(0);
    expect(await rig.ask(PLUG, BASE, SLOTS)).toBe(ACK);
  });

  it('a plug is served again once another block has gone, with its id', async () => {
    const rig = started();
    await rig.ask(PLUG, BASE, SLOTS);
    const other = BASE + 2000 * BLOCK;
    expect(await rig.ask(PLUG, other, 1)).toBe(BUSY);
    expect(await rig.ask(UNPLUG, BASE + 77 * BLOCK, 1)).toBe(ACK);
    expect(await rig.ask(PLUG, other, 1)).toBe(ACK);
    expect(rig.slots.slots.get(77)).toEqual({ gpa: other, size: BLOCK });
    expect(await rig.ask(PLUG, BASE + 77 * BLOCK, 1)).toBe(BUSY);
  });
});

describe('a plug that needs many memslots', () => {
  it('lets others have their turn, and is answered when all are there', async () => {
    const rig = started();
    const setMemslot = rig.slots.setMemslot.bind(rig.slots);
    rig.slots.setMemslot = (memslot) => {
      const end = performance.now() + 0.2;
      while (performance.now() < end);
      setMemslot(memslot);
    };
    const seen = new Set<number>();
    const turn = (): void => {
      seen.add(rig.slots.slots.size);
      if (rig.slots.slots.size < SLOTS) setImmediate(turn);
    };
    turn();
    expect(await rig.ask(PLUG, BASE, SLOTS)).toBe(ACK);
    expect(rig.slots.slots.size).toBe(SLOTS);
    expect(seen.size).toBeGreaterThan(10);
  });
});
