import { describe, expect, it } from 'vitest';
import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';
import { isPowerOfTwo } from '../../units.ts';
import { QUEUE_FEATURES } from '../core.ts';
import type { VirtioDevice } from '../device.ts';
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_VERSION_1,
  VIRTIO_STATUS_DEVICE_NEEDS_RESET,
  VIRTIO_STATUS_DRIVER_OK,
  VIRTQ_MAX_SIZE,
} from '../spec.ts';
import { DriverQueue } from './driver-queue.ts';
import { turnOfTheLoop } from './event-loop.ts';
import { FakeGuestMemory } from './fake-guest-memory.ts';
import { TestDriver } from './test-driver.ts';

/** A new device, and the memory it works on where that is not made up. */
export type DeviceFactory = () => {
  readonly device: VirtioDevice;
  /** RAM from 0 on, room for the queues at 0x1000. Absent: made-up memory. */
  readonly memory?: GuestMemoryAccess;
};

interface Contract {
  readonly device: VirtioDevice;
  readonly driver: TestDriver;
}

/** Device features: bits 0 to 23, and 50 to 127 (virtio 1.3 §2.2). */
const DEVICE_FEATURES = ((1n << 128n) - 1n) & ~(((1n << 50n) - 1n) & ~((1n << 24n) - 1n));

/** What every device owes its transport, whatever it does: call it from the device's tests. */
export function runDeviceContract(name: string, factory: DeviceFactory): void {
  const create = (): Contract => {
    const { device, memory } = factory();
    const bytes = device.queueSizes.reduce((sum, size) => sum + DriverQueue.bytes(size) + 4096, 0);
    const driver = new TestDriver(device, {
      memory: memory ?? new FakeGuestMemory(0x2000 + bytes),
    });
    return { device, driver };
  };

  describe(`${name}, as every virtio device,`, () => {
    describeIdentity(create);
    describeNegotiation(create);
    describeReset(create);
    describeConfig(create);
  });
}

function describeIdentity(create: () => Contract): void {
  it('has queues whose sizes are powers of two', () => {
    const { device } = create();
    expect(device.queueSizes.length).toBeGreaterThan(0);
    for (const size of device.queueSizes) {
      expect(isPowerOfTwo(size) && size <= VIRTQ_MAX_SIZE).toBe(true);
    }
  });

  it('offers only features that are a device’s to offer', () => {
    expect(create().device.features & ~DEVICE_FEATURES).toBe(0n);
  });

  it('has a type and a PCI class that fit', () => {
    const { device } = create();
    expect(device.deviceType > 0 && device.deviceType < 0x40).toBe(true);
    expect(device.pciClass >= 0 && device.pciClass < 2 ** 24).toBe(true);
  });
}

function describeNegotiation(create: () => Contract): void {
  it('is content when everything that it offers is accepted', () => {
    expect(create().driver.negotiate()).toBe(true);
  });

  it('is refused without VERSION_1', () => {
    const { driver } = create();
    expect(driver.negotiate(driver.core.offeredFeatures & ~VIRTIO_F_VERSION_1)).toBe(false);
  });

  it('is refused with a feature that nobody offered', () => {
    const { driver } = create();
    expect(driver.negotiate(driver.core.offeredFeatures | (1n << 127n))).toBe(false);
  });

  it('starts, with and without event indices', () => {
    for (const without of [0n, VIRTIO_F_EVENT_IDX]) {
      const { driver } = create();
      driver.start(driver.core.offeredFeatures & ~without);
      expect(driver.core.status & VIRTIO_STATUS_DRIVER_OK).not.toBe(0);
      expect(driver.core.status & VIRTIO_STATUS_DEVICE_NEEDS_RESET).toBe(0);
    }
  });

  it('says yes or no to every subset of its features, and does not throw', () => {
    const { device, driver } = create();
    for (let bit = 0n; bit < 128n; bit++) {
      if ((device.features & (1n << bit)) === 0n) continue;
      const all = driver.core.offeredFeatures;
      for (const features of [all & ~(1n << bit), QUEUE_FEATURES | (1n << bit)]) {
        expect(() => driver.negotiate(features)).not.toThrow();
      }
    }
  });
}

function describeReset(create: () => Contract): void {
  it('starts again after a reset, and after a reset that came before it ever started', () => {
    const { driver } = create();
    driver.core.reset();
    for (let round = 0; round < 3; round++) {
      driver.start();
      expect(driver.core.status & VIRTIO_STATUS_DRIVER_OK).not.toBe(0);
      driver.core.reset();
      expect(driver.core.status).toBe(0);
    }
  });

  it('survives a request of nothing, and the reset that may follow it', async () => {
    const { device, driver } = create();
    for (let index = 0; index < device.queueSizes.length; index++) {
      driver.start();
      driver.queues[index]?.send(new Uint8Array(0), 0);
      await turnOfTheLoop();
      driver.core.reset();
    }
    driver.start();
    expect(driver.core.status & VIRTIO_STATUS_DEVICE_NEEDS_RESET).toBe(0);
  });
}

function describeConfig(create: () => Contract): void {
  it('reads its configuration alike in bytes, halves and words', () => {
    const { device } = create();
    for (const size of [2, 4]) {
      for (let offset = 0; offset + size <= device.configSize; offset += size) {
        let value = 0;
        for (let at = size - 1; at >= 0; at--)
          value = value * 256 + device.readConfig(offset + at, 1);
        expect(device.readConfig(offset, size)).toBe(value);
      }
    }
  });

  it('takes any write to its configuration without throwing', () => {
    const { device } = create();
    for (const size of [1, 2, 4]) {
      for (let offset = 0; offset + size <= device.configSize; offset += size) {
        expect(() => device.writeConfig(offset, size, 2 ** (8 * size) - 1)).not.toThrow();
      }
    }
  });
}
