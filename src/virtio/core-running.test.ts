import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import {
  VIRTIO_STATUS_DEVICE_NEEDS_RESET as NEEDS_RESET,
  VIRTIO_STATUS_DRIVER_OK as DRIVER_OK,
} from './spec.ts';
import { turnOfTheLoop } from './testing/event-loop.ts';
import { createCoreRig } from './testing/core-rig.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

describe('a request', () => {
  it('is answered on its queue', async () => {
    const { driver, device } = createCoreRig();
    driver.start();
    expect([...(await driver.request(Uint8Array.of(1, 2, 3), 8))]).toEqual([1, 2, 3]);
    expect([...(await driver.request(Uint8Array.of(4), 8, 1))]).toEqual([4]);
    expect(device.calls).toEqual(['reset', 'activate', 'serve 0', 'serve 1']);
  });

  it('waits for the one before it', async () => {
    const { driver, device } = createCoreRig();
    device.holding = true;
    driver.start();
    const first = driver.queues[0]?.send(Uint8Array.of(1), 1);
    const second = driver.queues[0]?.send(Uint8Array.of(2), 1);
    await turnOfTheLoop();
    expect(device.calls.filter((call) => call === 'serve 0')).toHaveLength(1);
    device.holding = false;
    const told = driver.interrupt();
    device.release();
    await told;
    await turnOfTheLoop();
    expect(driver.queues[0]?.collect().map(({ head }) => head)).toEqual([first, second]);
  });

  it('under way at a reset is never answered', async () => {
    const { driver, device, memory, core } = createCoreRig();
    device.holding = true;
    driver.start();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    await turnOfTheLoop();
    core.writeStatus(0);
    const before = memory.ram.slice();
    device.release();
    await turnOfTheLoop();
    expect(memory.ram).toEqual(before);
    expect(driver.queueInterrupts).toBe(0);
    device.holding = false;
    driver.start();
    expect([...(await driver.request(Uint8Array.of(7), 1))]).toEqual([7]);
  });

  it('is not served while serving is off, and is afterwards', async () => {
    const { driver, device, core } = createCoreRig();
    core.setServing(false);
    driver.start();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    await turnOfTheLoop();
    expect(device.calls).not.toContain('serve 0');
    const told = driver.interrupt();
    core.setServing(true);
    await told;
    core.setServing(false);
    driver.queues[0]?.send(Uint8Array.of(2), 1);
    core.kickSoon(0);
    await turnOfTheLoop();
    expect(driver.queues[0]?.collect()).toHaveLength(1);
  });
});

describe('a broken queue', () => {
  it('asks for a reset, stops its siblings, and works again after it', async () => {
    const { driver, device, core } = createCoreRig();
    driver.start();
    driver.queues[0]?.setAvailIndex(100);
    const told = driver.interrupt();
    core.kick(0);
    await told;
    expect(core.status & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(core.info.needsReset).toBe('queue 0: avail index went 100 ahead in a queue of 8');
    expect(driver.configInterrupts).toBe(1);
    driver.queues[1]?.send(Uint8Array.of(1), 1);
    await turnOfTheLoop();
    expect(device.calls).not.toContain('serve 1');
    core.writeStatus(0);
    expect(core.status).toBe(0);
    driver.start();
    expect([...(await driver.request(Uint8Array.of(9), 1, 1))]).toEqual([9]);
  });

  it('whose rings are not memory never reaches the device', () => {
    const { driver, device, core } = createCoreRig();
    driver.negotiate();
    core.queueRegisters[0]?.setHalf('descriptors', true, 1);
    core.enableQueue(0);
    core.enableQueue(1);
    core.writeStatus(core.status | DRIVER_OK);
    expect(core.status & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(device.calls).toEqual(['reset']);
    expect(driver.configInterrupts).toBe(1);
  });

  it('says so once', () => {
    const { device, driver } = createCoreRig();
    driver.start();
    device.host?.needsReset('one');
    device.host?.needsReset('two');
    expect(driver.configInterrupts).toBe(1);
    expect(driver.core.info.needsReset).toBe('one');
  });
});

describe('a failing device', () => {
  it('asks for a reset when it cannot start', () => {
    const { device, driver } = createCoreRig();
    device.activate = () => {
      throw new Error('no such luck');
    };
    driver.start();
    expect(driver.core.info.needsReset).toBe('activation failed: no such luck');
  });

  it('does not keep a reset from happening', () => {
    const { device, driver } = createCoreRig();
    driver.start();
    device.reset = () => {
      throw new Error('no such luck');
    };
    driver.core.reset();
    expect(driver.core.status).toBe(0);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('lost');
      },
    ],
    ['rejects', () => Promise.reject(new Error('lost'))],
  ])('asks for a reset when serving %s', async (_, serve) => {
    const { device, driver } = createCoreRig();
    device.activate = ({ queues }) => queues[0]?.start(serve);
    driver.start();
    const told = driver.interrupt();
    driver.queues[0]?.send(Uint8Array.of(1), 1);
    await told;
    expect(driver.core.info.needsReset).toBe('queue 0: request failed: lost');
  });
});

describe('the configuration generation', () => {
  it('changes when the device says so, even with the same bytes', () => {
    const { core, device } = createCoreRig();
    const before = core.configGeneration;
    device.host?.configChanged();
    expect(core.configGeneration).not.toBe(before);
  });

  it('changes when bytes changed and nobody said so', () => {
    const { core, device } = createCoreRig();
    const before = core.configGeneration;
    expect(core.configGeneration).toBe(before);
    device.config.setUint8(9, 1);
    expect(core.configGeneration).toBe((before + 1) & 0xff);
  });

  it('wraps around at 8 bits', () => {
    const { core, device } = createCoreRig();
    const before = core.configGeneration;
    for (let count = 0; count < 256; count++) device.host?.configChanged();
    expect(core.configGeneration).toBe(before);
  });
});

describe('a configuration change', () => {
  it('interrupts a running driver', () => {
    const { device, driver } = createCoreRig();
    driver.start();
    device.host?.configChanged();
    expect(driver.configInterrupts).toBe(1);
  });

  it('on the way to DRIVER_OK is told then, and one before any driver is not', () => {
    const { device, driver, core } = createCoreRig();
    device.host?.configChanged();
    driver.negotiate();
    core.writeStatus(core.status | DRIVER_OK);
    expect(driver.configInterrupts).toBe(0);
    driver.negotiate();
    device.host?.configChanged();
    expect(driver.configInterrupts).toBe(0);
    core.writeStatus(core.status | DRIVER_OK);
    expect(driver.configInterrupts).toBe(1);
  });
});
