import type { Doorbell, DoorbellFactory } from '../../bus/doorbell.ts';
import { messageOf } from '../../errors.ts';
import { log } from '../../log.ts';
import { NOTIFY_MULTIPLIER } from './layout.ts';

const logger = log('virtio-pci');

export interface QueueDoorbellsOptions {
  /** The device, for the log. */
  readonly id: string;
  readonly factory: DoorbellFactory;
  readonly onRing: (queue: number) => void;
}

/**
 * A doorbell for each enabled queue, wherever the notification structure is decoded. Where the
 * host refuses one, the driver's writes exit to us instead: slower, and all the same.
 */
export class QueueDoorbells {
  readonly #options: QueueDoorbellsOptions;
  readonly #open = new Map<number, Doorbell>();
  #queues: readonly number[] = [];
  #base: number | undefined;
  #complained = false;

  constructor(options: QueueDoorbellsOptions) {
    this.#options = options;
  }

  /** Where the notification structure is decoded, gpa; undefined: nowhere. */
  moveTo(base: number | undefined): void {
    this.#closeAll();
    this.#base = base;
    this.#openAll();
  }

  /** Which queues want doorbells. */
  setQueues(queues: readonly number[]): void {
    this.#closeAll();
    this.#queues = queues;
    this.#openAll();
  }

  #openAll(): void {
    if (this.#base === undefined) return;
    for (const queue of this.#queues) {
      const gpa = this.#base + NOTIFY_MULTIPLIER * queue;
      try {
        const onRing = (): void => this.#options.onRing(queue);
        this.#open.set(queue, this.#options.factory.create({ gpa, onRing }));
      } catch (error) {
        this.#complain(queue, error);
      }
    }
  }

  #closeAll(): void {
    for (const doorbell of this.#open.values()) doorbell.close();
    this.#open.clear();
  }

  /** Once per device: the guest decides how often this is tried. */
  #complain(queue: number, error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    const fields = { device: this.#options.id, queue };
    logger.warn(fields, `no doorbell, kicks will be slow: ${messageOf(error)}`);
  }
}
