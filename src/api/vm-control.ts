import type { VmEvent } from './event-hub.ts';
import type { EventsOptions } from './event-stream.ts';
import type { MemoryDevice } from './memory-device.ts';
import type { MemoryDeviceState, VmStatus } from './memory-host.ts';

/** What can be done with a machine, be it in this process or in another. */
export interface VmControl extends AsyncDisposable {
  status(): Promise<VmStatus>;
  /** Holds the guest; nothing to do when it is held. */
  stop(): Promise<void>;
  /** Lets it go on. @throws (rejects with) HostError when the machine has ended */
  cont(): Promise<void>;
  /** As the reset button does. */
  reset(): Promise<void>;
  /** Presses the power button: the guest decides what to do. */
  powerDown(): Promise<void>;
  memoryDevices(): Promise<readonly MemoryDeviceState[]>;
  /** A device by its id. Whether there is one, its methods say. */
  memoryDevice(id: string): MemoryDevice;
  /** What happens from now on, up to the machine's end. */
  events(options?: EventsOptions): AsyncIterableIterator<VmEvent, undefined>;
  /** Runs a command of the human monitor. @returns its output, lines that end in `\n` */
  monitor(line: string): Promise<string>;
  /** Lets go of the machine, and gives back what it took here; idempotent. */
  close(): Promise<void>;
}
