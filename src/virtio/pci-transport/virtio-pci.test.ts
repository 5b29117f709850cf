import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { ECHO_CONFIG_SIZE } from '../testing/echo-device.ts';
import { COMMON, PciDriver, turnOfTheLoop } from './testing/pci-driver.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

const MEMORY = 2;
const MASTER = 4;
const COMMAND = 4;

describe('a virtio function', () => {
  it('is a modern device of its type', () => {
    const { config } = new PciDriver();
    expect(config.read(0, 2)).toBe(0x1af4);
    expect(config.read(2, 2)).toBe(0x1040 + 42);
    expect(config.read(8, 1)).toBe(1);
    expect(config.read(8) >>> 8).toBe(0xff_0000);
    expect(config.read(0x2c, 2)).toBe(0x1af4);
    expect(config.read(0x2e, 2)).toBeGreaterThanOrEqual(0x40);
    expect(config.read(0x3d, 1)).toBe(1);
  });

  it('says where its structures are, each on a page of its own', () => {
    const driver = new PciDriver();
    const structures = driver.capabilities().filter(({ type }) => type !== 5);
    expect(structures.map(({ type, length, size }) => ({ type, length, size }))).toEqual([
      { type: 1, length: 16, size: 64 },
      { type: 2, length: 20, size: 8 },
      { type: 3, length: 16, size: 1 },
      { type: 4, length: 16, size: ECHO_CONFIG_SIZE },
    ]);
    const pages = structures.map(({ bar, offset }) => `${bar}:${Math.floor(offset / 4096)}`);
    expect(new Set(pages).size).toBe(4);
    expect(driver.config.read(driver.capability(2).at + 16)).toBe(4);
  });

  it('has a vector for the configuration and one for each queue', () => {
    const { config } = new PciDriver();
    expect((config.read(config.capability(0x11) + 2, 2) & 0x7ff) + 1).toBe(3);
  });
});

describe('common configuration', () => {
  it('offers features 32 at a time, and none beyond bit 127', () => {
    const driver = new PciDriver();
    expect(driver.offeredFeatures()).toBe((1n << 32n) | (1n << 29n) | (1n << 28n) | 3n);
    driver.write(COMMON.deviceFeatureSelect, 4, 0xffff_ffff);
    expect(driver.read(COMMON.deviceFeatureSelect, 4)).toBe(0xffff_ffff);
    expect(driver.read(COMMON.deviceFeature, 4)).toBe(0);
    driver.write(COMMON.deviceFeature, 4, 0);
    driver.write(COMMON.deviceFeatureSelect, 4, 0);
    expect(driver.read(COMMON.deviceFeature, 4)).toBe(0x3000_0003);
  });

  it('reads back what was accepted', () => {
    const driver = new PciDriver();
    driver.accept((1n << 32n) | 2n);
    driver.write(COMMON.driverFeatureSelect, 4, 0);
    expect(driver.read(COMMON.driverFeature, 4)).toBe(2);
    driver.write(COMMON.driverFeatureSelect, 4, 1);
    expect(driver.read(COMMON.driverFeature, 4)).toBe(1);
    driver.write(COMMON.driverFeatureSelect, 4, 4);
    driver.write(COMMON.driverFeature, 4, 0xffff_ffff);
    expect(driver.read(COMMON.driverFeature, 4)).toBe(0);
  });

  it.each([[64n], [100n], [40n]])('refuses feature bit %d, which nobody offered', (bit) => {
    const driver = new PciDriver();
    driver.negotiate(driver.offeredFeatures() | (1n << bit));
    expect(driver.status).toBe(3);
  });

  it('shows the queues, and zeros for those that do not exist', () => {
    const driver = new PciDriver();
    expect(driver.read(COMMON.numQueues, 2)).toBe(2);
    const registers = (queue: number): number[] => {
      driver.write(COMMON.queueSelect, 2, queue);
      return [24, 26, 28, 30, 32, 34, 36, 40, 44, 48, 52].map((at) => driver.read(at, 2));
    };
    expect(registers(1)).toEqual([16, 0xffff, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    for (const at of [24, 26, 28, 32, 36, 40, 44, 48, 52]) driver.write(at, at < 32 ? 2 : 4, 1);
    expect(registers(2)).toEqual(Array(11).fill(0));
    expect(registers(0xffff)).toEqual(Array(11).fill(0));
  });

  it('keeps 64-bit addresses, written in halves', () => {
    const driver = new PciDriver();
    const common = driver.address(1);
    driver.rig.mmio.write64(common + COMMON.queueDriver, 0x1234_5678_9abc_def0n);
    expect(driver.rig.mmio.read64(common + COMMON.queueDriver)).toBe(0x1234_5678_9abc_def0n);
    expect(driver.rig.mmio.read64(common + COMMON.queueDesc)).toBe(0n);
    expect(driver.rig.mmio.read64(common + COMMON.queueDevice)).toBe(0n);
  });

  it('enables a queue with 1, and with nothing else', () => {
    const driver = new PciDriver();
    driver.write(COMMON.queueEnable, 2, 2);
    expect(driver.read(COMMON.queueEnable, 2)).toBe(0);
    driver.write(COMMON.queueEnable, 2, 1);
    driver.write(COMMON.queueEnable, 2, 0);
    expect(driver.read(COMMON.queueEnable, 2)).toBe(1);
  });

  it('takes vectors that exist and reads others back as none', () => {
    const driver = new PciDriver();
    for (const offset of [COMMON.configMsixVector, COMMON.queueMsixVector]) {
      for (const [vector, expected] of [
        [2, 2],
        [3, 0xffff],
        [0, 0],
        [0xffff, 0xffff],
      ] as const) {
        driver.write(offset, 2, vector);
        expect(driver.read(offset, 2)).toBe(expected);
      }
    }
  });

  it('is as new after a reset', () => {
    const driver = new PciDriver();
    driver.start();
    driver.write(COMMON.queueMsixVector, 2, 1);
    driver.status = 0;
    expect(driver.status).toBe(0);
    expect([COMMON.queueSelect, COMMON.queueEnable].map((at) => driver.read(at, 2))).toEqual([
      0, 0,
    ]);
    driver.write(COMMON.queueSelect, 2, 1);
    expect(driver.read(COMMON.queueMsixVector, 2)).toBe(0xffff);
    expect(driver.read(COMMON.queueDesc, 4)).toBe(0);
  });
});

describe('device configuration', () => {
  it('is the device’s, with zeros behind its end', () => {
    const driver = new PciDriver();
    const base = driver.address(4);
    driver.rig.mmio.write64(base, 0x0807_0605_0403_0201n);
    driver.device.config.setUint16(8, 0x0a09, true);
    expect(driver.rig.mmio.read(base, 1)).toBe(1);
    expect(driver.rig.mmio.read(base + 6, 2)).toBe(0x0807);
    expect(driver.rig.mmio.read(base + 8, 4)).toBe(0x0a09);
    expect(driver.rig.mmio.read(base + 12, 4)).toBe(0);
    driver.rig.mmio.write(base + 8, 4, 0xffff_ffff);
    expect(driver.rig.mmio.read(base + 8, 2)).toBe(0x0a09);
  });

  it('changes the generation with it', () => {
    const driver = new PciDriver();
    const before = driver.read(COMMON.configGeneration, 1);
    driver.device.config.setUint8(3, 9);
    expect(driver.read(COMMON.configGeneration, 1)).not.toBe(before);
  });
});

describe('kicks', () => {
  it('have a doorbell for each enabled queue, and only from DRIVER_OK to the reset', () => {
    const driver = new PciDriver();
    driver.negotiate();
    driver.setUpQueue(1, driver.offeredFeatures());
    expect(driver.doorbells.gpas()).toEqual([]);
    driver.status = 15;
    expect(driver.doorbells.gpas()).toEqual([driver.notifyAddress(1)]);
    driver.status = 0;
    expect(driver.doorbells.gpas()).toEqual([]);
  });

  it('are served from the doorbell', async () => {
    const driver = new PciDriver();
    driver.start();
    await turnOfTheLoop();
    driver.queues[1]?.send(Uint8Array.of(1), 1);
    expect(driver.queues[1]?.collect()).toHaveLength(1);
  });

  it('are served when their write comes here, after the write', async () => {
    const driver = new PciDriver();
    driver.start();
    await turnOfTheLoop();
    const notify = driver.notifyAddress(0);
    for (const size of [1, 2, 4]) {
      driver.memory.write(0, Uint8Array.of(0), 1);
      const queue = driver.queues[0]!;
      const ring = driver.doorbells.ring.bind(driver.doorbells);
      driver.doorbells.ring = () => true;
      queue.send(Uint8Array.of(1), 1);
      driver.doorbells.ring = ring;
      driver.rig.mmio.write(notify, size, 0);
      expect(queue.collect()).toHaveLength(0);
      await turnOfTheLoop();
      expect(queue.collect()).toHaveLength(1);
    }
  });

  it('of queues that do not exist, or before there are any, mean nothing', async () => {
    const driver = new PciDriver();
    const base = driver.address(2);
    for (const offset of [0, 1, 4, 8, 4092]) driver.rig.mmio.write(base + offset, 2, 0xffff);
    driver.start();
    for (const offset of [1, 6, 8, 4092]) driver.rig.mmio.write(base + offset, 2, 0xffff);
    expect(driver.rig.mmio.read(base, 4)).toBe(0);
    await turnOfTheLoop();
    expect(driver.device.calls).toEqual(['reset', 'activate']);
  });

  it('follow the BAR, and stop where it is not decoded', async () => {
    const driver = new PciDriver();
    driver.start();
    const before = driver.doorbells.gpas();
    driver.config.write(COMMAND, MASTER, 2);
    expect(driver.doorbells.gpas()).toEqual([]);
    const moved = driver.barAddress(0) + 0x10_0000;
    driver.config.write(0x10, moved >>> 0);
    driver.config.write(COMMAND, MASTER | MEMORY, 2);
    expect(driver.doorbells.gpas()).toEqual(before.map((gpa) => gpa + 0x10_0000));
    await turnOfTheLoop();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    expect(driver.queues[0]?.collect()).toHaveLength(1);
  });

  it('go on as writes when the host has no doorbell left', async () => {
    const driver = new PciDriver();
    driver.negotiate();
    driver.doorbells.create({ gpa: driver.notifyAddress(0), onRing: () => undefined });
    const features = driver.offeredFeatures();
    const queues = [0, 1].map((index) => driver.setUpQueue(index, features));
    driver.status = 15;
    expect(driver.status).toBe(15);
    await turnOfTheLoop();
    queues[0]?.send(Uint8Array.of(1), 1);
    driver.rig.mmio.write(driver.notifyAddress(0), 2, 0);
    await turnOfTheLoop();
    expect(queues[0]?.collect()).toHaveLength(1);
  });
});

describe('the wire', () => {
  it('is high from a used buffer until ISR status is read', async () => {
    const driver = new PciDriver();
    driver.start();
    await turnOfTheLoop();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    expect(driver.rig.interrupts.level(driver.gsi)).toBe(true);
    expect(driver.isr).toBe(1);
    expect(driver.rig.interrupts.level(driver.gsi)).toBe(false);
    expect(driver.isr).toBe(0);
  });

  it('tells of configuration changes too', () => {
    const driver = new PciDriver();
    driver.start();
    driver.device.host?.configChanged();
    expect(driver.rig.interrupts.level(driver.gsi)).toBe(true);
    expect(driver.isr).toBe(2);
  });

  it('is low after a reset', () => {
    const driver = new PciDriver();
    driver.start();
    driver.device.host?.configChanged();
    driver.status = 0;
    expect(driver.rig.interrupts.level(driver.gsi)).toBe(false);
    expect(driver.isr).toBe(0);
  });
});

describe('vectors', () => {
  function started(): PciDriver {
    const driver = new PciDriver();
    driver.enableMsix();
    driver.start();
    driver.write(COMMON.configMsixVector, 2, 0);
    for (const queue of [0, 1]) {
      driver.write(COMMON.queueSelect, 2, queue);
      driver.write(COMMON.queueMsixVector, 2, 1 + queue);
    }
    return driver;
  }

  it('take the place of the wire', async () => {
    const driver = started();
    await turnOfTheLoop();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    driver.queues[1]?.send(Uint8Array.of(1), 1);
    driver.device.host?.configChanged();
    expect(driver.rig.interrupts.takeData()).toEqual([0x41, 0x42, 0x40]);
    expect(driver.rig.interrupts.raises(driver.gsi)).toBe(0);
  });

  it('leave ISR status alone for queues, and set its bit for the configuration', async () => {
    const driver = started();
    await turnOfTheLoop();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    expect(driver.isr).toBe(0);
    driver.device.host?.configChanged();
    expect(driver.isr).toBe(2);
  });

  it('may be missing: then nothing is sent', async () => {
    const driver = started();
    await turnOfTheLoop();
    driver.write(COMMON.queueSelect, 2, 0);
    driver.write(COMMON.queueMsixVector, 2, 0xffff);
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    expect(driver.queues[0]?.collect()).toHaveLength(1);
    expect(driver.rig.interrupts.takeData()).toEqual([]);
  });
});

describe('NEEDS_RESET', () => {
  it('shows in the status and interrupts', async () => {
    const driver = new PciDriver();
    driver.start();
    await turnOfTheLoop();
    driver.queues[0]?.setAvailIndex(0x8000);
    driver.kick(0);
    expect(driver.status).toBe(0x4f);
    expect(driver.isr).toBe(2);
    driver.start();
    expect(driver.status).toBe(15);
  });
});

describe('bus mastering', () => {
  it('is needed for requests to be served; those that wait are served once it is on', async () => {
    const driver = new PciDriver();
    driver.start();
    await turnOfTheLoop();
    driver.config.write(COMMAND, MEMORY, 2);
    const before = driver.memory.ram.slice(0x5000);
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    await turnOfTheLoop();
    expect(driver.device.calls).not.toContain('serve 0');
    expect(driver.memory.ram.slice(0x5000)).toEqual(before);
    driver.config.write(COMMAND, MEMORY | MASTER, 2);
    await turnOfTheLoop();
    expect(driver.queues[0]?.collect()).toHaveLength(1);
  });

  it('and a machine that runs: either alone does not do', async () => {
    const driver = new PciDriver();
    driver.start();
    await turnOfTheLoop();
    driver.transport.pause();
    driver.config.write(COMMAND, MEMORY, 2);
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    driver.transport.resume();
    await turnOfTheLoop();
    driver.transport.pause();
    driver.config.write(COMMAND, MEMORY | MASTER, 2);
    await turnOfTheLoop();
    expect(driver.device.calls).not.toContain('serve 0');
    driver.transport.resume();
    await turnOfTheLoop();
    expect(driver.device.calls).toContain('serve 0');
  });
});

describe('a system reset', () => {
  it('resets device, doorbells and interrupts, and the device starts again', async () => {
    const driver = new PciDriver();
    driver.start();
    driver.device.host?.configChanged();
    driver.rig.reset();
    expect(driver.device.calls).toEqual(['reset', 'activate', 'reset']);
    expect(driver.doorbells.gpas()).toEqual([]);
    expect(driver.rig.interrupts.level(driver.gsi)).toBe(false);
    expect(driver.status).toBe(0);
    driver.start();
    await turnOfTheLoop();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    expect(driver.queues[0]?.collect()).toHaveLength(1);
  });
});

describe('the configuration access window', () => {
  function aim(driver: PciDriver, offset: number, length: number, bar = 0): number {
    const { at } = driver.capability(5);
    driver.config.write(at + 4, bar, 1);
    driver.config.write(at + 8, offset);
    driver.config.write(at + 12, length);
    return at + 16;
  }

  it('reads and writes what it is aimed at', () => {
    const driver = new PciDriver();
    driver.config.write(aim(driver, COMMON.queueSelect, 2), 1, 2);
    expect(driver.read(COMMON.queueSelect, 2)).toBe(1);
    expect(driver.config.read(aim(driver, COMMON.queueSize, 2), 2)).toBe(16);
    driver.config.write(aim(driver, COMMON.deviceStatus, 1), 3, 1);
    expect(driver.status).toBe(3);
    expect(driver.config.read(aim(driver, COMMON.deviceStatus, 1), 4) & 0xff).toBe(3);
  });

  it('works while the BARs are not decoded', () => {
    const driver = new PciDriver();
    driver.config.write(COMMAND, 0, 2);
    driver.config.write(aim(driver, COMMON.deviceStatus, 1), 1, 1);
    expect(driver.config.read(aim(driver, COMMON.deviceStatus, 1), 1)).toBe(1);
  });

  it.each([
    ['an odd offset', 1, 2, 0],
    ['three bytes', 0, 3, 0],
    ['no bytes', 0, 0, 0],
    ['a BAR that does not exist', 0, 4, 5],
    ['a BAR beyond all BARs', 0, 4, 255],
    ['the end of the address space', 0xffff_fffc, 4, 0],
  ])('does nothing when aimed at %s', (_, offset, length, bar) => {
    const driver = new PciDriver();
    const data = aim(driver, offset, length, bar);
    driver.config.write(data, 0xffff_ffff);
    expect(() => driver.config.read(data)).not.toThrow();
    expect(driver.read(COMMON.deviceFeatureSelect, 4)).toBe(0);
  });

  it('kicks', async () => {
    const driver = new PciDriver();
    driver.start();
    await turnOfTheLoop();
    driver.doorbells.ring = () => true;
    driver.queues[1]?.send(Uint8Array.of(1), 1);
    driver.config.write(aim(driver, driver.capability(2).offset + 4, 2), 1, 2);
    await turnOfTheLoop();
    expect(driver.queues[1]?.collect()).toHaveLength(1);
  });
});

describe('a hostile driver', () => {
  it('may write anything anywhere: no throw, and the device works after a reset', async () => {
    const driver = new PciDriver();
    let seed = 1;
    const random = (limit: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * limit);
    };
    for (let round = 0; round < 20_000; round++) {
      const size = [1, 2, 4][random(3)] ?? 1;
      const offset = random(random(2) === 0 ? 64 : 0x4000);
      const at = driver.barAddress(0) + offset;
      driver.rig.mmio.write(at >>> 0, size, random(2) === 0 ? random(16) : random(2 ** (8 * size)));
      driver.rig.mmio.read(at >>> 0, size);
      if (round % 100 === 0) await turnOfTheLoop();
    }
    driver.start();
    await turnOfTheLoop();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    expect(driver.queues[0]?.collect()).toHaveLength(1);
  });
});
