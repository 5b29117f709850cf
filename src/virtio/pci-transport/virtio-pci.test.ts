import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { ECHO_CONFIG_SIZE } from '../testing/echo-device.ts';
import { turnOfTheLoop } from '../testing/event-loop.ts';
import { PciDriver } from './testing/pci-driver.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

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
