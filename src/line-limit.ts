/** What is counted together, ms. */
const INTERVAL_MS = 1000;

/** Lets through so many lines a second, and counts the others. */
export class LineLimit {
  readonly #lines: number;
  readonly #clock: () => number;
  /** When the second at hand began: with its first line. */
  #began = Number.NEGATIVE_INFINITY;
  #taken = 0;
  #suppressed = 0;

  /** @param clock  milliseconds, for tests */
  constructor(linesPerSecond: number, clock: () => number = () => performance.now()) {
    this.#lines = linesPerSecond;
    this.#clock = clock;
  }

  /** @returns how many lines were suppressed since the last one, or undefined: so is this */
  take(): number | undefined {
    const now = this.#clock();
    if (now - this.#began >= INTERVAL_MS) {
      this.#began = now;
      this.#taken = 0;
    }
    if (this.#taken === this.#lines) {
      this.#suppressed += 1;
      return undefined;
    }
    this.#taken += 1;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
