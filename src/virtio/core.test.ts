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
import { createCoreRig } from './testing/core-rig.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

runDeviceContract('the echo device', () => ({ device: new EchoDevice() }));

describe('negotiation', () => {
  it('offers what queues can do beside what the device can', () => {
    expect(createCoreRig().core.offeredFeatures).toBe(
      ECHO_F_OPTIONAL |
        ECHO_F_NEEDED |
        VIRTIO_F_VERSION_1 |
        VIRTIO_F_INDIRECT_DESC |
        VIRTIO_F_EVENT_IDX,
    );
  });

  it('lets the device refuse', () => {
    const { driver, core } = createCoreRig();
    expect(driver.negotiate(core.offeredFeatures & ~ECHO_F_NEEDED)).toBe(false);
    expect(driver.negotiate(core.offeredFeatures & ~ECHO_F_OPTIONAL)).toBe(true);
  });

  it('goes on with what is accepted after a refusal', () => {
    const { driver, core } = createCoreRig();
    expect(driver.negotiate(VIRTIO_F_VERSION_1)).toBe(false);
    core.acceptFeatures(0, Number(ECHO_F_NEEDED));
    core.writeStatus(core.status | FEATURES_OK);
    expect(core.status & FEATURES_OK).toBe(FEATURES_OK);
  });

  it('takes no features any more once they are settled', () => {
    const { driver, core } = createCoreRig();
    driver.negotiate();
    core.acceptFeatures(0, 0);
    expect(core.acceptedFeatures).toBe(core.offeredFeatures);
  });

  it.each([
    ['without ACKNOWLEDGE', DRIVER | FEATURES_OK, DRIVER],
    ['without DRIVER', ACKNOWLEDGE | FEATURES_OK, ACKNOWLEDGE],
  ])('does not settle features %s', (_, written, expected) => {
    const { core } = createCoreRig();
    core.acceptFeatures(0, Number(ECHO_F_NEEDED));
    core.acceptFeatures(1, 1);
    core.writeStatus(written);
    expect(core.status).toBe(expected);
  });
});

describe('the status', () => {
  it('does not start a device before its features are settled', () => {
    const { device, core } = createCoreRig();
    core.writeStatus(ACKNOWLEDGE | DRIVER | DRIVER_OK);
    expect(core.status).toBe(ACKNOWLEDGE | DRIVER);
    expect(device.calls).toEqual([]);
  });

  it('starts a device once', () => {
    const { device, driver, core } = createCoreRig();
    driver.start();
    core.writeStatus(core.status);
    expect(device.calls).toEqual(['reset', 'activate']);
  });

  it('keeps bits that a driver tries to clear, and ignores those that it cannot set', () => {
    const { driver, core } = createCoreRig();
    driver.start();
    core.writeStatus(ACKNOWLEDGE | NEEDS_RESET | 0x30);
    expect(core.status).toBe(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    core.writeStatus(FAILED);
    expect(core.status & FAILED).toBe(FAILED);
  });

  it('gives the device the queues that were enabled, with what was negotiated', () => {
    const { device, driver, core } = createCoreRig();
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
    const { driver, core } = createCoreRig();
    driver.negotiate();
    core.writeStatus(core.status | DRIVER_OK);
    core.enableQueue(0);
    expect(core.queueRegisters[0]?.enabled).toBe(false);
  });
});

describe('queue registers', () => {
  it('take powers of two up to the maximum as size', () => {
    const [registers] = createCoreRig().core.queueRegisters;
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
    const { core } = createCoreRig();
    const [registers] = core.queueRegisters;
    core.enableQueue(0);
    registers?.setSize(4);
    registers?.setHalf('avail', true, 1);
    expect(registers).toMatchObject({ size: 8, addresses: { avail: 0 } });
  });
});
