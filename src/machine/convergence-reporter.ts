import type { Convergence, ConvergenceKind } from '../devices/virtio-mem/convergence.ts';
import type { VirtioMem } from '../devices/virtio-mem/device.ts';
import type { ConvergenceEvent } from './events.ts';

/** Between two looks at a device that is not as large as was requested, in milliseconds. */
const LOOK_MS = 1_000;
/** Looks in a row that find nothing done before a guest counts as stalled. */
const QUIET_LOOKS = 5;

/** What there is to tell of a device's convergence. */
export type ConvergenceReport = Pick<
  ConvergenceEvent,
  'state' | 'reason' | 'cause' | 'size' | 'requestedSize'
>;

export interface ConvergenceReporterOptions {
  readonly device: Pick<VirtioMem, 'sizes' | 'convergence'>;
  /** Whether the guest could do anything at all. */
  readonly isRunning: () => boolean;
  readonly tell: (report: ConvergenceReport) => void;
}

/** Whether it is the guest that does not go on. Without a driver it may still be booting. */
export function isStuck(kind: ConvergenceKind): boolean {
  switch (kind) {
    case 'unplug-stalled':
    case 'plug-stalled':
    case 'busy':
    case 'nack':
    case 'error':
      return true;
    case 'converged':
    case 'no-driver':
    case 'not-asked':
    case 'under-way':
      return false;
  }
}

/**
 * Tells when a memory device becomes as large as was requested, when its guest has done nothing
 * about it for a while, and when it goes on. It looks by itself only while there is something to
 * wait for: a device that has converged costs nothing.
 */
export class ConvergenceReporter {
  readonly #options: ConvergenceReporterOptions;
  #state: 'under-way' | 'stalled' | 'converged' = 'converged';
  /** Why it was said to be stalled. */
  #reason: ConvergenceKind | undefined;
  /** Something was done since the last look. */
  #hasMoved = false;
  #quietLooks = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ConvergenceReporterOptions) {
    this.#options = options;
    const { requestedSize, pluggedSize } = options.device.sizes;
    if (requestedSize !== pluggedSize) this.#goOn();
  }

  /** A size was requested, be it the same again: whoever did it wants to hear what comes of it. */
  requested(): void {
    const { requestedSize, pluggedSize } = this.#options.device.sizes;
    if (pluggedSize === requestedSize) this.#converge();
    else this.#goOn();
  }

  /**
   * The guest has plugged or unplugged something. Called for each request, so it must be quick.
   *
   * @param sizes of the device, as they are now
   */
  sizeChanged({ requestedSize, pluggedSize }: VirtioMem['sizes']): void {
    if (pluggedSize === requestedSize) {
      if (this.#state !== 'converged') this.#converge();
      return;
    }
    const wasStalled = this.#state === 'stalled';
    this.#goOn();
    if (wasStalled) this.#tell('resumed', { kind: 'under-way', cause: 'the guest goes on' });
  }

  /** Says no more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #converge(): void {
    // The timer stays until it finds nothing to do: a guest may go to and fro.
    this.#state = 'converged';
    this.#tell('converged', this.#options.device.convergence);
  }

  #goOn(): void {
    this.#state = 'under-way';
    this.#hasMoved = true;
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    if (this.#state === 'converged') {
      this.close();
      return;
    }
    const { convergence } = this.#options.device;
    const isAble = this.#options.isRunning() && convergence.kind !== 'no-driver';
    const isQuiet = !this.#hasMoved && isAble;
    this.#hasMoved = false;
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0;
    if (this.#quietLooks < QUIET_LOOKS) return;
    if (!isStuck(convergence.kind)) return;
    if (this.#state === 'stalled' && this.#reason === convergence.kind) return;
    this.#state = 'stalled';
    this.#reason = convergence.kind;
    this.#tell('stalled', convergence);
  }

  #tell(state: ConvergenceReport['state'], why: Pick<Convergence, 'kind' | 'cause'>): void {
    const { requestedSize, pluggedSize: size } = this.#options.device.sizes;
    const { kind: reason, cause } = why;
    this.#options.tell({ state, reason, cause, size, requestedSize });
  }
}
