/** The longest that a timer of Node.js takes: milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Keeps the process alive. vCPUs that run do so by themselves; a machine that is created, stands still or
 * waits for its monitor has nothing on the event loop, and Node.js would end the process around it
 * (exit code 13 where somebody awaits its end).
 */
export class ProcessHold {
  readonly #timer = setInterval(() => undefined, LONGEST_MS);

  /** Idempotent. */
  release(): void {
    clearInterval(this.#timer);
  }
}
