import { log } from '../../log.ts';

const logger = log('virtio-mem');

/** A guest that asks again and again gets one line a second. */
const QUIET_MS = 1_000;

/** Tells of answers of BUSY, and how many there were since the last line. */
export class BusyLog {
  readonly #id: string;
  readonly #clock: () => number;
  #quietUntil = Number.NEGATIVE_INFINITY;
  #unsaid = 0;

  /** @param clock  milliseconds, for tests */
  constructor(id: string, clock: () => number = () => performance.now()) {
    this.#id = id;
    this.#clock = clock;
  }

  /** @returns whether it was told */
  busy(request: string, error: string): boolean {
    this.#unsaid += 1;
    if (this.#clock() < this.#quietUntil) return false;
    this.#quietUntil = this.#clock() + QUIET_MS;
    logger.warn({ id: this.#id, request, error, times: this.#unsaid }, 'answered BUSY');
    this.#unsaid = 0;
    return true;
  }
}
