import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { turnOfTheLoop } from '../testing/event-loop.ts';
import { PciDriver } from './testing/pci-driver.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

const MEMORY = 2;
const MASTER = 4;
const COMMAND = 4;

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

  it('that comes back touches nothing before a kick: rings may be another kernel’s memory', async () => {
    const driver = new PciDriver();
    driver.start();
    await turnOfTheLoop();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    expect(driver.queues[0]?.collect()).toHaveLength(1);
    driver.config.write(COMMAND, MEMORY, 2);
    const before = driver.memory.ram.fill(0xa5).slice();
    driver.config.write(COMMAND, MEMORY | MASTER, 2);
    await turnOfTheLoop();
    expect(driver.memory.ram).toEqual(before);
    expect(driver.transport.info.needsReset).toBeUndefined();
  });

  it('that goes under a request leaves it without an answer, also if it comes back', async () => {
    const driver = new PciDriver();
    driver.device.holding = true;
    driver.start();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    await turnOfTheLoop();
    driver.config.write(COMMAND, MEMORY, 2);
    const before = driver.memory.ram.fill(0xa5).slice();
    driver.config.write(COMMAND, MEMORY | MASTER, 2);
    driver.device.release();
    await turnOfTheLoop();
    expect(driver.memory.ram).toEqual(before);
    expect(driver.transport.info.needsReset).toContain('bus mastering');
    driver.device.holding = false;
    driver.status = 0;
    driver.memory.ram.fill(0);
    driver.start();
    await turnOfTheLoop();
    driver.queues[0]?.send(Uint8Array.of(7), 1);
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
