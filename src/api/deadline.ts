import { ConfigError } from '../errors.ts';

/** What setTimeout can wait for at most; with more it does not wait at all. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Checks a time limit of a caller, who may write JavaScript.
 *
 * @param name  for the message, as `timeoutMs`
 * @throws ConfigError for what is no time: NaN, a negative number, text
 */
export function checkTimeout(name: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value >= 0)) return;
  const shown = typeof value === 'number' ? String(value) : `(${typeof value})`;
  throw new ConfigError('BAD_OPTION', `${name}=${shown}: must be milliseconds, 0 or more`);
}

/** Calls back once when a time is over, however long it is; never when it is Infinity. */
export class Deadline {
  readonly #onOver: () => void;
  readonly #atMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, onOver: () => void) {
    this.#onOver = onOver;
    this.#atMs = performance.now() + ms;
    this.#arm(ms);
  }

  /** Calls back no more. Idempotent. */
  clear(): void {
    clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    if (ms === Number.POSITIVE_INFINITY) return;
    if (ms <= LONGEST_MS) this.#timer = setTimeout(this.#onOver, ms);
    else this.#timer = setTimeout(() => this.#arm(this.#leftMs()), LONGEST_MS);
  }

  /** Whole milliseconds: what a timer leaves over would be lost with each. */
  #leftMs(): number {
    return Math.ceil(this.#atMs - performance.now());
  }
}
