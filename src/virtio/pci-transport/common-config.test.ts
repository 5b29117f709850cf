import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { COMMON, PciDriver } from './testing/pci-driver.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

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
