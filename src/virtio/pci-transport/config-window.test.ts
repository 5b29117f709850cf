import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { turnOfTheLoop } from '../testing/event-loop.ts';
import { COMMON, PciDriver } from './testing/pci-driver.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

const COMMAND = 4;

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
