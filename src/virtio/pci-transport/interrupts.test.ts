import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { turnOfTheLoop } from '../testing/event-loop.ts';
import { COMMON, PciDriver } from './testing/pci-driver.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

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
