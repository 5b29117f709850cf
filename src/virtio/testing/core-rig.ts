import { EchoDevice } from './echo-device.ts';
import { FakeGuestMemory } from './fake-guest-memory.ts';
import { TestDriver } from './test-driver.ts';

export interface CoreRig {
  readonly device: EchoDevice;
  readonly memory: FakeGuestMemory;
  readonly driver: TestDriver;
  readonly core: TestDriver['core'];
}

/** An echo device and its driver, on no bus. */
export function createCoreRig(): CoreRig {
  const device = new EchoDevice();
  const memory = new FakeGuestMemory(0x1_0000);
  const driver = new TestDriver(device, { memory });
  return { device, memory, driver, core: driver.core };
}
