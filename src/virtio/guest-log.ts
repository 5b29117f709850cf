import { LineLimit } from '../line-limit.ts';
import type { Log } from '../log.ts';

/**
 * Logs what a guest did wrong. A guest can do wrong a million times a second, so lines that come
 * within a second of the last one are only counted, and the next line tells how many there were.
 */
export class GuestLog {
  readonly #logger: Partial<Log> & Pick<Log, 'warn'>;
  readonly #limit: LineLimit;

  /** @param clock  milliseconds, for tests */
  constructor(logger: Partial<Log> & Pick<Log, 'warn'>, clock?: () => number) {
    this.#logger = logger;
    this.#limit = new LineLimit(1, clock);
  }

  warn(fields: object, message: string): void {
    const suppressed = this.#limit.take();
    if (suppressed === undefined) return;
    this.#logger.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message);
  }
}
