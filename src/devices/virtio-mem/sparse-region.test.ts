import { afterEach, describe, expect, it, vi } from 'vitest';
import { GIB, TIB } from '../../units.ts';
import {
  VIRTIO_MEM_REQ_PLUG as PLUG,
  VIRTIO_MEM_REQ_UNPLUG_ALL as UNPLUG_ALL,
  VIRTIO_MEM_RESP_ACK as ACK,
} from './spec.ts';
import { BLOCK, DeviceRig, REGION_GPA as BASE } from './testing/device-rig.ts';

const SIZE = 16 * TIB;
const open: DeviceRig[] = [];

afterEach(() => {
  for (const rig of open.splice(0)) rig.close();
});

describe('UNPLUG_ALL of a large region', () => {
  it('discards what is plugged and not the terabytes between', async () => {
    const rig = new DeviceRig({ size: SIZE, requestedSize: SIZE, dynamicMemslots: true });
    open.push(rig);
    rig.driver.start();
    const last = SIZE - BLOCK;
    for (const offset of [0, 2 * BLOCK, GIB, last]) {
      expect(await rig.ask(PLUG, BASE + offset, 1)).toBe(ACK);
    }
    const discard = vi.spyOn(rig.backing, 'discard');
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(ACK);
    expect(discard.mock.calls).toEqual([
      [0, GIB + BLOCK],
      [last, BLOCK],
    ]);
    expect(rig.memory.pluggedSize).toBe(0);
    expect(rig.memory.unprotectedBlocks).toBe(0);
    expect(rig.container.activeCount).toBe(0);
  });
});
