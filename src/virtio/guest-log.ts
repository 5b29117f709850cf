import { LineLimit } from '../line-limit.ts';
import type { Log } from '../log.ts';

/**
 * Logs what a guest did wrong. A guest can do wrong a million times a second, so of lines that come within
 * a second of the last one only the latest is written, when that is over, with the number of the others.
 */
export class GuestLog {
  readonly #limit: LineLimit;

  constructor(logger: Pick<Log, 'warn'>) {
    this.#limit = new LineLimit(1, (fields, message) => logger.warn(fields, message));
  }

  warn(fields: object, message: string): void {
    this.#limit.put(fields, message);
  }
}
