import type { VirtioDevice } from './device.ts';

/**
 * The configuration generation (virtio 1.3 §2.5, §4.1.4.3.1). A driver reads it before and after
 * fields that come in several accesses, so it must change with every change of the bytes, also
 * those that the device tells nobody of. Asking is rare, so the bytes are compared then.
 */
export class ConfigWatch {
  readonly #device: VirtioDevice;
  #generation = 0;
  #seen: Uint8Array | undefined;

  constructor(device: VirtioDevice) {
    this.#device = device;
  }

  /** The device says so, whether bytes differ or not. */
  changed(): void {
    this.#generation = (this.#generation + 1) & 0xff;
  }

  /** 0 to 255. */
  generation(): number {
    const size = this.#device.configSize;
    const seen = this.#seen;
    const bytes = Uint8Array.from({ length: size }, (_, at) => this.#device.readConfig(at, 1));
    this.#seen = bytes;
    if (seen?.some((byte, at) => byte !== bytes[at]) === true) this.changed();
    return this.#generation;
  }
}
