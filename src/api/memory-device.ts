import type { ConvergenceKind } from '../devices/virtio-mem/convergence.ts';
import type { EventHub } from './event-hub.ts';
import type { Size } from './options.ts';
import { refusedBy, Resize, sizeBytes, type ResizeOptions } from './resize.ts';

export type { ConvergenceKind };

const CONVERGENCE_KINDS: Readonly<Record<ConvergenceKind, true>> = {
  converged: true,
  'no-driver': true,
  'not-asked': true,
  'under-way': true,
  busy: true,
  nack: true,
  error: true,
  'unplug-stalled': true,
  'plug-stalled': true,
};

/** Whether another process speaks of something that is known here. */
export function isConvergenceKind(text: string): text is ConvergenceKind {
  return Object.hasOwn(CONVERGENCE_KINDS, text);
}

/** A memory device at one moment. Sizes and addresses in bytes. */
export interface MemoryDeviceState {
  readonly id: string;
  /** What the guest is asked to have. */
  readonly requestedSize: number;
  /** What it has. */
  readonly size: number;
  /** What it can have at most. */
  readonly maxSize: number;
  readonly blockSize: number;
  readonly memaddr: number;
  readonly node: number;
  /** Whether `size` is as requested; if not, why. */
  readonly convergence: ConvergenceKind;
  /** The same, for people. */
  readonly cause: string;
}

/** What a machine does; `created` has not been started. */
export type VmStatus = 'created' | 'running' | 'paused' | 'ended';

/** What a memory device needs of its machine, which may be in another process. */
export interface MemoryHost {
  readonly hub: EventHub;
  status(): Promise<VmStatus>;
  /** @throws (rejects with) ConfigError when there is no such device */
  state(id: string): Promise<MemoryDeviceState>;
  /** @throws (rejects with) ConfigError when the size cannot be */
  request(id: string, bytes: number): Promise<void>;
}

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
