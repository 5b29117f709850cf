import { afterEach, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { GIB, MIB, TIB } from '../../units.ts';
import { VIRTIO_STATUS_DEVICE_NEEDS_RESET } from '../../virtio/spec.ts';
import { runDeviceContract } from '../../virtio/testing/device-contract.ts';
import {
  VIRTIO_MEM_F_ACPI_PXM,
  VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE,
  VIRTIO_MEM_REQ_PLUG as PLUG,
  VIRTIO_MEM_REQ_STATE as STATE,
  VIRTIO_MEM_REQ_UNPLUG as UNPLUG,
  VIRTIO_MEM_REQ_UNPLUG_ALL as UNPLUG_ALL,
  VIRTIO_MEM_RESP_ACK as ACK,
  VIRTIO_MEM_RESP_BUSY as BUSY,
  VIRTIO_MEM_RESP_ERROR as ERROR,
  VIRTIO_MEM_RESP_NACK as NACK,
} from './spec.ts';
import { BLOCK, DeviceRig, encode, REGION_GPA as BASE } from './testing/device-rig.ts';
import type { VirtioMemOptions } from './properties.ts';

setLogLevel('silent');

const CONFIG = { blockSize: 0, addr: 16, region: 24, usable: 32, plugged: 40, requested: 48 };
const open: DeviceRig[] = [];

function started(options: Partial<VirtioMemOptions> = {}): DeviceRig {
  const rig = new DeviceRig(options);
  open.push(rig);
  rig.driver.start();
  return rig;
}

afterEach(() => {
  for (const rig of open.splice(0)) rig.close();
});

runDeviceContract('virtio-mem', () => {
  const rig = new DeviceRig();
  open.push(rig);
  return { device: rig.device };
});

describe('config space', () => {
  it('tells the driver of the region', () => {
    const rig = started({ requestedSize: GIB });
    expect(rig.config(CONFIG.blockSize)).toBe(BLOCK);
    expect(rig.config(CONFIG.addr)).toBe(BASE);
    expect(rig.config(CONFIG.region)).toBe(8 * GIB);
    expect(rig.config(CONFIG.usable)).toBe(GIB + 256 * MIB);
    expect(rig.config(CONFIG.plugged)).toBe(0);
    expect(rig.config(CONFIG.requested)).toBe(GIB);
  });

  it('interrupts and bumps the generation at every resize, even to the same size', () => {
    const rig = started();
    const before = rig.driver.core.configGeneration;
    rig.device.setRequestedSize(GIB);
    expect(rig.driver.configInterrupts).toBe(1);
    const after = rig.driver.core.configGeneration;
    expect(after).not.toBe(before);
    rig.device.setRequestedSize(GIB);
    expect(rig.driver.configInterrupts).toBe(2);
    expect(rig.driver.core.configGeneration).not.toBe(after);
  });

  it('is silent about plug and unplug', async () => {
    const rig = started({ requestedSize: GIB });
    expect(await rig.ask(PLUG, BASE, 1)).toBe(ACK);
    expect(await rig.ask(UNPLUG, BASE, 1)).toBe(ACK);
    expect(rig.driver.configInterrupts).toBe(0);
  });

  it('limits the usable region to the region', () => {
    expect(started({ requestedSize: 8 * GIB }).config(CONFIG.usable)).toBe(8 * GIB);
  });

  it('keeps the usable region when the request shrinks, until UNPLUG_ALL', async () => {
    const rig = started({ requestedSize: 2 * GIB });
    rig.device.setRequestedSize(0);
    expect(rig.config(CONFIG.usable)).toBe(2 * GIB + 256 * MIB);
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(ACK);
    expect(rig.config(CONFIG.usable)).toBe(0);
  });

  it.each([
    [9 * GIB, "is more than the device's size, 8589934592"],
    [MIB, 'is not a multiple of the block size, 2097152'],
  ])('refuses a requested size of %d and stays as it was', (bytes, message) => {
    const rig = started({ requestedSize: GIB });
    expect(() => rig.device.setRequestedSize(bytes)).toThrow(message);
    expect(rig.config(CONFIG.requested)).toBe(GIB);
    expect(rig.driver.configInterrupts).toBe(0);
  });
});

describe('features', () => {
  it('are refused without UNPLUGGED_INACCESSIBLE', () => {
    const rig = started();
    const offered = rig.driver.core.offeredFeatures;
    expect(rig.driver.negotiate(offered & ~VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE)).toBe(false);
    expect(rig.driver.negotiate(offered)).toBe(true);
  });

  it('offer ACPI_PXM, and the config space tells the node, when the machine has nodes', () => {
    const rig = new DeviceRig({ node: 0x0102 }, 0x0200);
    expect(rig.driver.core.offeredFeatures & VIRTIO_MEM_F_ACPI_PXM).toBe(VIRTIO_MEM_F_ACPI_PXM);
    expect(rig.device.readConfig(8, 2)).toBe(0x0102);
    rig.close();
    expect(started().driver.core.offeredFeatures & VIRTIO_MEM_F_ACPI_PXM).toBe(0n);
  });

  it('do not offer it with unplugged-inaccessible=off', () => {
    const rig = started({ unpluggedInaccessible: 'off' });
    expect(rig.driver.core.offeredFeatures & VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE).toBe(0n);
  });
});

describe('requests', () => {
  it('PLUG: ACK, and the plugged size grows', async () => {
    const rig = started({ requestedSize: GIB });
    expect(await rig.ask(PLUG, BASE, 3)).toBe(ACK);
    expect(rig.config(CONFIG.plugged)).toBe(3 * BLOCK);
  });

  it('PLUG: NACK beyond the requested size', async () => {
    const rig = started({ requestedSize: 2 * BLOCK });
    expect(await rig.ask(PLUG, BASE, 2)).toBe(ACK);
    expect(await rig.ask(PLUG, BASE + 2 * BLOCK, 1)).toBe(NACK);
    expect(rig.config(CONFIG.plugged)).toBe(2 * BLOCK);
  });

  it('PLUG: ERROR when a block is already plugged', async () => {
    const rig = started({ requestedSize: GIB });
    expect(await rig.ask(PLUG, BASE + BLOCK, 1)).toBe(ACK);
    expect(await rig.ask(PLUG, BASE, 2)).toBe(ERROR);
    expect(rig.config(CONFIG.plugged)).toBe(BLOCK);
  });

  it('UNPLUG: ERROR when a block is already unplugged', async () => {
    const rig = started({ requestedSize: GIB });
    expect(await rig.ask(PLUG, BASE, 1)).toBe(ACK);
    expect(await rig.ask(UNPLUG, BASE, 2)).toBe(ERROR);
    expect(rig.config(CONFIG.plugged)).toBe(BLOCK);
  });

  it('STATE: plugged, unplugged, mixed', async () => {
    const rig = started({ requestedSize: GIB });
    await rig.ask(PLUG, BASE, 2);
    expect(await rig.raw(encode(STATE, BASE, 2))).toEqual({ type: ACK, state: 0 });
    expect(await rig.raw(encode(STATE, BASE + 2 * BLOCK, 2))).toEqual({ type: ACK, state: 1 });
    expect(await rig.raw(encode(STATE, BASE, 3))).toEqual({ type: ACK, state: 2 });
  });

  const usable = GIB + 256 * MIB;
  it.each<[string, number | bigint, number]>([
    ['no blocks', BASE, 0],
    ['an address between blocks', BASE + 4096, 1],
    ['an address below the region', BASE - BLOCK, 1],
    ['the end of the usable region', BASE + usable, 1],
    ['a range that leaves it', BASE + usable - BLOCK, 2],
    ['an address of 2^63', 2n ** 63n, 1],
    ['a range that wraps around', 2n ** 64n - BigInt(BLOCK), 2],
    ['an address past 2^53 that rounds into the region', 2n ** 53n + BigInt(BLOCK), 1],
  ])('PLUG, UNPLUG and STATE: ERROR for %s', async (_name, addr, count) => {
    const rig = started({ requestedSize: GIB });
    for (const type of [PLUG, UNPLUG, STATE]) expect(await rig.ask(type, addr, count)).toBe(ERROR);
    expect(rig.config(CONFIG.plugged)).toBe(0);
  });

  it('count each answer', async () => {
    const rig = started({ requestedSize: BLOCK });
    await rig.ask(PLUG, BASE, 1);
    await rig.ask(PLUG, BASE + BLOCK, 1);
    await rig.ask(UNPLUG, BASE + BLOCK, 1);
    await rig.ask(STATE, BASE, 1);
    expect(rig.device.answers).toEqual({ ack: 2, nack: 1, busy: 0, error: 1 });
  });
});

describe('protocol violations need a reset, and nothing else works until then', () => {
  it.each<[string, Uint8Array, number]>([
    ['a request of 23 bytes', new Uint8Array(23), 10],
    ['room for 9 bytes of response', encode(PLUG, BASE, 1), 9],
    ['an unknown type', encode(7, BASE, 1), 10],
  ])('%s', async (_name, request, room) => {
    const rig = started({ requestedSize: GIB });
    const told = rig.driver.interrupt();
    rig.driver.queues[0]?.send(request, room);
    await told;
    expect(rig.driver.core.status & VIRTIO_STATUS_DEVICE_NEEDS_RESET).not.toBe(0);
    expect(rig.driver.configInterrupts).toBe(1);
    rig.driver.start();
    expect(await rig.ask(PLUG, BASE, 1)).toBe(ACK);
  });
});

describe('host failures are BUSY, with everything undone', () => {
  it('when a memslot is refused', async () => {
    const rig = started({ requestedSize: 4 * GIB, dynamicMemslots: true });
    rig.slots.refuse = true;
    expect(await rig.ask(PLUG, BASE, 1)).toBe(BUSY);
    expect(rig.config(CONFIG.plugged)).toBe(0);
    rig.slots.refuse = false;
    expect(await rig.ask(PLUG, BASE, 1)).toBe(ACK);
  });

  it('when a listener refuses: the others hear that it is gone again', async () => {
    const rig = started({ requestedSize: 4 * GIB, dynamicMemslots: true });
    const heard: string[] = [];
    rig.memory.register({
      onPopulate: (offset, length) => heard.push(`+${offset}/${length}`),
      onDiscard: (offset, length) => heard.push(`-${offset}/${length}`),
    });
    rig.memory.register({
      onPopulate: () => {
        throw new Error('no');
      },
      onDiscard: () => undefined,
    });
    expect(await rig.ask(PLUG, BASE + GIB - BLOCK, 2)).toBe(BUSY);
    const range = `${GIB - BLOCK}/${2 * BLOCK}`;
    expect(heard).toEqual([`+${range}`, `-${range}`]);
    expect(rig.slots.slots.size).toBe(0);
    expect(rig.config(CONFIG.plugged)).toBe(0);
  });

  it.each([1, 64])('when discarding %d blocks fails', async (count) => {
    const rig = started({ requestedSize: 4 * GIB, dynamicMemslots: true });
    await rig.ask(PLUG, BASE, count);
    rig.backing.failDiscard = true;
    expect(await rig.ask(UNPLUG, BASE, count)).toBe(BUSY);
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(BUSY);
    expect(rig.slots.slots.size).toBe(1);
    expect(await rig.raw(encode(STATE, BASE, count))).toEqual({ type: ACK, state: 0 });
    rig.backing.failDiscard = false;
    expect(await rig.ask(UNPLUG, BASE, count)).toBe(ACK);
    expect(rig.slots.slots.size).toBe(0);
  });

  it('when preallocation fails', async () => {
    const rig = started({ requestedSize: 4 * GIB, dynamicMemslots: true, prealloc: true });
    rig.backing.failPopulate = true;
    expect(await rig.ask(PLUG, BASE, 1)).toBe(BUSY);
    expect(rig.slots.slots.size).toBe(0);
    rig.backing.failPopulate = false;
    expect(await rig.ask(PLUG, BASE, 1)).toBe(ACK);
    expect(await rig.backing.mapping.residentBytes(0, BLOCK)).toBe(BLOCK);
  });
});

describe('convergence', () => {
  it('says why a BUSY device does not grow, and that it does again', async () => {
    const rig = started({ requestedSize: BLOCK, dynamicMemslots: true });
    rig.slots.refuse = true;
    await rig.ask(PLUG, BASE, 1);
    expect(rig.device.convergence.cause).toBe('answered BUSY: memslot refused');
    rig.slots.refuse = false;
    await rig.ask(PLUG, BASE, 1);
    expect(rig.device.convergence.kind).toBe('converged');
  });

  it('misses a driver that has reset the device', () => {
    const rig = started({ requestedSize: BLOCK });
    expect(rig.device.convergence.kind).toBe('not-asked');
    rig.driver.core.reset();
    expect(rig.device.convergence.kind).toBe('no-driver');
  });
});

describe('dynamic memslots', () => {
  it('exist only where a block is plugged', async () => {
    const rig = started({ requestedSize: 4 * GIB, dynamicMemslots: true });
    expect(rig.slots.slots.size).toBe(0);
    await rig.ask(PLUG, BASE + GIB - BLOCK, 2);
    expect([...rig.slots.slots.values()]).toEqual([
      { gpa: BASE, size: GIB },
      { gpa: BASE + GIB, size: GIB },
    ]);
    await rig.ask(UNPLUG, BASE + GIB, 1);
    expect([...rig.slots.slots.values()]).toEqual([{ gpa: BASE, size: GIB }]);
    await rig.ask(UNPLUG_ALL, 0, 0);
    expect(rig.slots.slots.size).toBe(0);
  });

  it('stay while a neighbour is plugged', async () => {
    const rig = started({ requestedSize: 4 * GIB, dynamicMemslots: true });
    await rig.ask(PLUG, BASE, 3);
    await rig.ask(UNPLUG, BASE, 2);
    expect(rig.slots.slots.size).toBe(1);
  });

  it('are one that is always there when they are off', async () => {
    const rig = started({ requestedSize: 4 * GIB });
    expect([...rig.slots.slots.values()]).toEqual([{ gpa: BASE, size: 8 * GIB }]);
    await rig.ask(PLUG, BASE, 3);
    await rig.ask(UNPLUG_ALL, 0, 0);
    expect(rig.slots.slots.size).toBe(1);
  });

  it('cost nothing for a TiB with nothing plugged', () => {
    expect(started({ size: TIB, dynamicMemslots: true }).slots.slots.size).toBe(0);
  });
});

describe('memory', () => {
  it.each([1, 16])(
    'of %d unplugged blocks is back at the host before the answer',
    async (count) => {
      const rig = started({ requestedSize: GIB });
      await rig.ask(PLUG, BASE, count);
      const { mapping } = rig.backing;
      const bytes = new Uint8Array(count * BLOCK).fill(0xaa);
      mapping.write(0, bytes);
      expect(await mapping.residentBytes(0, bytes.length)).toBe(bytes.length);
      expect(await rig.ask(UNPLUG, BASE, count)).toBe(ACK);
      expect(await mapping.residentBytes(0, bytes.length)).toBe(0);
      await rig.ask(PLUG, BASE, count);
      mapping.read(0, bytes);
      expect(bytes.every((it) => it === 0)).toBe(true);
    },
  );

  it('is all back after UNPLUG_ALL', async () => {
    const rig = started({ requestedSize: 4 * GIB, dynamicMemslots: true });
    const { mapping } = rig.backing;
    for (const block of [0, 700, 1500]) {
      await rig.ask(PLUG, BASE + block * BLOCK, 1);
      mapping.write(block * BLOCK, new Uint8Array(BLOCK).fill(1));
    }
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(ACK);
    expect(await mapping.residentBytes(0, 4 * GIB)).toBe(0);
    expect(rig.config(CONFIG.plugged)).toBe(0);
  });

  it('keeps request order while large discards run elsewhere', async () => {
    const rig = started({ requestedSize: 4 * GIB });
    const queue = rig.driver.queues[0]!;
    await rig.ask(PLUG, BASE, 512);
    const heads = [
      queue.send(encode(UNPLUG, BASE, 512), 10),
      queue.send(encode(PLUG, BASE, 1), 10),
      queue.send(encode(STATE, BASE, 1), 10),
    ];
    const used: number[] = [];
    while (used.length < 3) {
      await new Promise((resolve) => setImmediate(resolve));
      used.push(...queue.collect().map((it) => it.head));
    }
    expect(used).toEqual(heads);
    expect(rig.config(CONFIG.plugged)).toBe(BLOCK);
  });
});

describe('reset', () => {
  it('by the driver keeps blocks plugged', async () => {
    const rig = started({ requestedSize: GIB });
    await rig.ask(PLUG, BASE, 4);
    rig.driver.start();
    expect(rig.config(CONFIG.plugged)).toBe(4 * BLOCK);
    expect(await rig.raw(encode(STATE, BASE, 4))).toEqual({ type: ACK, state: 0 });
  });

  it('by the driver in the middle of a large unplug loses nothing', async () => {
    const rig = started({ requestedSize: 4 * GIB });
    await rig.ask(PLUG, BASE, 1024);
    rig.driver.queues[0]?.send(encode(UNPLUG, BASE, 1024), 10);
    await new Promise((resolve) => setImmediate(resolve));
    rig.driver.start();
    expect(await rig.raw(encode(STATE, BASE, 1024))).toEqual({ type: ACK, state: 1 });
    expect(await rig.ask(PLUG, BASE, 1)).toBe(ACK);
    expect(rig.config(CONFIG.plugged)).toBe(BLOCK);
  });

  it('of the system unplugs everything and recomputes the usable region', async () => {
    const rig = started({ requestedSize: 4 * GIB, dynamicMemslots: true });
    await rig.ask(PLUG, BASE, 600);
    rig.device.setRequestedSize(GIB);
    rig.driver.core.reset();
    await rig.device.resetMemory();
    expect(rig.config(CONFIG.plugged)).toBe(0);
    expect(rig.config(CONFIG.requested)).toBe(GIB);
    expect(rig.config(CONFIG.usable)).toBe(GIB + 256 * MIB);
    expect(rig.slots.slots.size).toBe(0);
  });
});

describe('discard manager', () => {
  it('replays populated and discarded runs', async () => {
    const rig = started({ requestedSize: GIB });
    await rig.ask(PLUG, BASE + BLOCK, 2);
    const seen: string[] = [];
    rig.memory.replayPopulated(0, 8 * BLOCK, (at, length) =>
      seen.push(`+${at / BLOCK}/${length / BLOCK}`),
    );
    rig.memory.replayDiscarded(0, 8 * BLOCK, (at, length) =>
      seen.push(`-${at / BLOCK}/${length / BLOCK}`),
    );
    expect(seen).toEqual(['+1/2', '-0/1', '-3/5']);
    expect(rig.memory.isPopulated(BLOCK + 1, 2 * BLOCK - 1)).toBe(true);
    expect(rig.memory.isPopulated(BLOCK - 1, 2)).toBe(false);
  });

  it('tells a listener what is there when it comes, and that it is gone when it leaves', async () => {
    const rig = started({ requestedSize: GIB });
    await rig.ask(PLUG, BASE + BLOCK, 2);
    const heard: string[] = [];
    const listener = {
      onPopulate: (at: number, length: number) => heard.push(`+${at / BLOCK}/${length / BLOCK}`),
      onDiscard: (at: number, length: number) => heard.push(`-${at / BLOCK}/${length / BLOCK}`),
    };
    rig.memory.register(listener);
    await rig.ask(UNPLUG, BASE + BLOCK, 1);
    rig.memory.unregister(listener);
    await rig.ask(PLUG, BASE + BLOCK, 1);
    expect(heard).toEqual(['+1/2', '-1/1', '-2/1']);
  });
});

describe('by the letter', () => {
  it('refuses a plug of plugged blocks as an error, however much it asks for', async () => {
    const rig = started({ requestedSize: 2 * BLOCK });
    expect(await rig.ask(PLUG, BASE, 2)).toBe(ACK);
    expect(await rig.ask(PLUG, BASE, 1)).toBe(ERROR);
    expect(await rig.ask(PLUG, BASE + BLOCK, 8)).toBe(ERROR);
    expect(await rig.ask(PLUG, BASE + 2 * BLOCK, 8)).toBe(NACK);
  });

  it('acknowledges UNPLUG_ALL where nothing is plugged, though memory is held', async () => {
    const rig = started({ requestedSize: GIB });
    rig.device.setRequestedSize(0);
    expect(rig.device.sizes.usableSize).toBeGreaterThan(0);
    const release = rig.holds.take('a test');
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(ACK);
    expect(rig.device.sizes.usableSize).toBe(0);
    expect(rig.config(CONFIG.usable)).toBe(0);
    expect(rig.device.heldRequests).toBe(0);
    release();
  });

  it('still holds UNPLUG_ALL back where something is plugged', async () => {
    const rig = started({ requestedSize: GIB });
    await rig.ask(PLUG, BASE, 1);
    const release = rig.holds.take('a test');
    expect(await rig.ask(UNPLUG_ALL, 0, 0)).toBe(BUSY);
    release();
  });
});

describe('who follows the plugged size', () => {
  it('hears of changes, and of nothing else', async () => {
    const rig = started({ requestedSize: GIB });
    const heard: number[] = [];
    rig.device.onSizeChange(() => heard.push(rig.device.sizes.pluggedSize));
    await rig.ask(UNPLUG_ALL, 0, 0);
    await rig.device.resetMemory();
    rig.device.setRequestedSize(2 * GIB);
    expect(heard).toEqual([]);
    await rig.ask(PLUG, BASE, 2);
    await rig.ask(PLUG, BASE, 2);
    rig.backing.failDiscard = true;
    await rig.ask(UNPLUG, BASE, 1);
    await expect(rig.device.resetMemory()).rejects.toThrow('discard refused');
    expect(heard).toEqual([2 * BLOCK]);
    rig.backing.failDiscard = false;
    await rig.device.resetMemory();
    await rig.device.resetMemory();
    expect(heard).toEqual([2 * BLOCK, 0]);
  });
});
