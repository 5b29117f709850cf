import type { MemoryDeviceState, MemoryHost } from './memory-host.ts';
import type { Size } from './options.ts';
import { refusedBy, Resize, sizeBytes, type ResizeOptions } from './resize.ts';

/** A memory device of a machine, by its id. */
export class MemoryDevice {
  readonly id: string;
  readonly #host: MemoryHost;

  constructor(host: MemoryHost, id: string) {
    this.#host = host;
    this.id = id;
  }

  /** @throws (rejects with) ConfigError NO_DEVICE when the machine has none of this id */
  state(): Promise<MemoryDeviceState> {
    return this.#host.state(this.id);
  }

  /** Asks the guest for another size, and does not wait. @throws (rejects with) ResizeError REFUSED */
  async request(size: Size): Promise<void> {
    try {
      await this.#host.request(this.id, sizeBytes(this.id, size));
    } catch (error) {
      throw refusedBy(this.id, error);
    }
  }

  /**
   * Asks the guest to grow or shrink to `size`, and follows it there. Resolves when it is that large;
   * rejects with a ResizeError that says why it is not. What was asked stays asked then.
   *
   * @param size  bytes, or text as `'4G'`; a multiple of the block size
   */
  resize(size: Size, options: ResizeOptions = {}): Resize {
    return new Resize(this.#host, this.id, size, options);
  }
}
