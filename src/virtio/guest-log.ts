import type { Log } from '../log.ts';

/** Between two lines of one log, ms. */
const INTERVAL_MS = 1000;

/**
 * Logs what a guest did wrong. A guest can do wrong a million times a second, so lines that come
 * within a second of the last one are only counted, and the next line tells how many there were.
 */
export class GuestLog {
  readonly #logger: Partial<Log> & Pick<Log, 'warn'>;
  readonly #clock: () => number;
  #last = Number.NEGATIVE_INFINITY;
  #suppressed = 0;

  /** @param clock  milliseconds, for tests */
  constructor(
    logger: Partial<Log> & Pick<Log, 'warn'>,
    clock: () => number = () => performance.now(),
  ) {
    this.#logger = logger;
    this.#clock = clock;
  }

  warn(fields: object, message: string): void {
    const now = this.#clock();
    if (now - this.#last < INTERVAL_MS) {
      this.#suppressed += 1;
      return;
    }
    this.#last = now;
    const suppressed = this.#suppressed;
    this.#logger.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message);
    this.#suppressed = 0;
  }
}
