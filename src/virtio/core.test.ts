import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  VIRTIO_STATUS_ACKNOWLEDGE as ACKNOWLEDGE,
  VIRTIO_STATUS_DEVICE_NEEDS_RESET as NEEDS_RESET,
  VIRTIO_STATUS_DRIVER as DRIVER,
  VIRTIO_STATUS_DRIVER_OK as DRIVER_OK,
  VIRTIO_STATUS_FAILED as FAILED,
  VIRTIO_STATUS_FEATURES_OK as FEATURES_OK,
} from './spec.ts';
import { runDeviceContract } from './testing/device-contract.ts';
import { ECHO_F_NEEDED, ECHO_F_OPTIONAL, EchoDevice } from './testing/echo-device.ts';
import { FakeGuestMemory } from './testing/fake-guest-memory.ts';
import { TestDriver } from './testing/test-driver.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

runDeviceContract('the echo device', () => ({ device: new EchoDevice() }));

interface Rig {
  readonly device: EchoDevice;
  readonly memory: FakeGuestMemory;
  readonly driver: TestDriver;
  readonly core: TestDriver['core'];
}

function createRig(): Rig {
  const device = new EchoDevice();
  const memory = new FakeGuestMemory(0x1_0000);
  const driver = new TestDriver(device, { memory });
  return { device, memory, driver, core: driver.core };
}

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('negotiation', () => {
  it('offers what queues can do beside what the device can', () => {
    expect(createRig().core.offeredFeatures).toBe(
      ECHO_F_OPTIONAL |
        ECHO_F_NEEDED |
        VIRTIO_F_VERSION_1 |
        VIRTIO_F_INDIRECT_DESC |
        VIRTIO_F_EVENT_IDX,
    );
  });

  it('lets the device refuse', () => {
    const { driver, core } = createRig();
    expect(driver.negotiate(core.offeredFeatures & ~ECHO_F_NEEDED)).toBe(false);
    expect(driver.negotiate(core.offeredFeatures & ~ECHO_F_OPTIONAL)).toBe(true);
  });

  it('goes on with what is accepted after a refusal', () => {
    const { driver, core } = createRig();
    expect(driver.negotiate(VIRTIO_F_VERSION_1)).toBe(false);
    core.acceptFeatures(0, Number(ECHO_F_NEEDED));
    core.writeStatus(core.status | FEATURES_OK);
    expect(core.status & FEATURES_OK).toBe(FEATURES_OK);
  });

  it('takes no features any more once they are settled', () => {
    const { driver, core } = createRig();
    driver.negotiate();
    core.acceptFeatures(0, 0);
    expect(core.acceptedFeatures).toBe(core.offeredFeatures);
  });

  it.each([
    ['without ACKNOWLEDGE', DRIVER | FEATURES_OK, DRIVER],
    ['without DRIVER', ACKNOWLEDGE | FEATURES_OK, ACKNOWLEDGE],
  ])('does not settle features %s', (_, written, expected) => {
    const { core } = createRig();
    core.acceptFeatures(0, Number(ECHO_F_NEEDED));
    core.acceptFeatures(1, 1);
    core.writeStatus(written);
    expect(core.status).toBe(expected);
  });
});

describe('the status', () => {
  it('does not start a device before its features are settled', () => {
    const { device, core } = createRig();
    core.writeStatus(ACKNOWLEDGE | DRIVER | DRIVER_OK);
    expect(core.status).toBe(ACKNOWLEDGE | DRIVER);
    expect(device.calls).toEqual([]);
  });

  it('starts a device once', () => {
    const { device, driver, core } = createRig();
    driver.start();
    core.writeStatus(core.status);
    expect(device.calls).toEqual(['reset', 'activate']);
  });

  it('keeps bits that a driver tries to clear, and ignores those that it cannot set', () => {
    const { driver, core } = createRig();
    driver.start();
    core.writeStatus(ACKNOWLEDGE | NEEDS_RESET | 0x30);
    expect(core.status).toBe(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    core.writeStatus(FAILED);
    expect(core.status & FAILED).toBe(FAILED);
  });

  it('gives the device the queues that were enabled, with what was negotiated', () => {
    const { device, driver, core } = createRig();
    driver.negotiate(core.offeredFeatures & ~VIRTIO_F_EVENT_IDX);
    core.queueRegisters[1]?.setHalf('descriptors', false, 0x1000);
    core.queueRegisters[1]?.setHalf('avail', false, 0x2000);
    core.queueRegisters[1]?.setHalf('used', false, 0x3000);
    core.queueRegisters[1]?.setSize(4);
    core.enableQueue(1);
    core.writeStatus(core.status | DRIVER_OK);
    expect(device.activation?.queues.map((queue) => queue?.size)).toEqual([undefined, 4]);
    expect(device.activation?.features).toBe(core.offeredFeatures & ~VIRTIO_F_EVENT_IDX);
    expect(core.info.queues[1]?.addresses.used).toBe(0x3000);
  });

  it('does not take queues that are enabled after DRIVER_OK', () => {
    const { driver, core } = createRig();
    driver.negotiate();
    core.writeStatus(core.status | DRIVER_OK);
    core.enableQueue(0);
    expect(core.queueRegisters[0]?.enabled).toBe(false);
  });
});

describe('queue registers', () => {
  it('take powers of two up to the maximum as size', () => {
    const [registers] = createRig().core.queueRegisters;
    for (const [size, expected] of [
      [4, 4],
      [0, 4],
      [3, 4],
      [16, 4],
      [8, 8],
      [1, 1],
    ] as const) {
      registers?.setSize(size);
      expect(registers?.size).toBe(expected);
    }
  });

  it('do not change any more once the queue is enabled', () => {
    const { core } = createRig();
    const [registers] = core.queueRegisters;
    core.enableQueue(0);
    registers?.setSize(4);
    registers?.setHalf('avail', true, 1);
    expect(registers).toMatchObject({ size: 8, addresses: { avail: 0 } });
  });
});

describe('a request', () => {
  it('is answered on its queue', async () => {
    const { driver, device } = createRig();
    driver.start();
    expect([...(await driver.request(Uint8Array.of(1, 2, 3), 8))]).toEqual([1, 2, 3]);
    expect([...(await driver.request(Uint8Array.of(4), 8, 1))]).toEqual([4]);
    expect(device.calls).toEqual(['reset', 'activate', 'serve 0', 'serve 1']);
  });

  it('waits for the one before it', async () => {
    const { driver, device } = createRig();
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
    const { driver, device, memory, core } = createRig();
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
    const { driver, device, core } = createRig();
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
    const { driver, device, core } = createRig();
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
    const { driver, device, core } = createRig();
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
    const { device, driver } = createRig();
    driver.start();
    device.host?.needsReset('one');
    device.host?.needsReset('two');
    expect(driver.configInterrupts).toBe(1);
    expect(driver.core.info.needsReset).toBe('one');
  });
});

describe('a failing device', () => {
  it('asks for a reset when it cannot start', () => {
    const { device, driver } = createRig();
    device.activate = () => {
      throw new Error('no such luck');
    };
    driver.start();
    expect(driver.core.info.needsReset).toBe('activation failed: no such luck');
  });

  it('does not keep a reset from happening', () => {
    const { device, driver } = createRig();
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
    const { device, driver } = createRig();
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
    const { core, device } = createRig();
    const before = core.configGeneration;
    device.host?.configChanged();
    expect(core.configGeneration).not.toBe(before);
  });

  it('changes when bytes changed and nobody said so', () => {
    const { core, device } = createRig();
    const before = core.configGeneration;
    expect(core.configGeneration).toBe(before);
    device.config.setUint8(9, 1);
    expect(core.configGeneration).toBe((before + 1) & 0xff);
  });

  it('wraps around at 8 bits', () => {
    const { core, device } = createRig();
    const before = core.configGeneration;
    for (let count = 0; count < 256; count++) device.host?.configChanged();
    expect(core.configGeneration).toBe(before);
  });
});

describe('a configuration change', () => {
  it('interrupts a running driver', () => {
    const { device, driver } = createRig();
    driver.start();
    device.host?.configChanged();
    expect(driver.configInterrupts).toBe(1);
  });

  it('on the way to DRIVER_OK is told then, and one before any driver is not', () => {
    const { device, driver, core } = createRig();
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
