/** What is counted together, ms. */
const INTERVAL_MS = 1000;

/** Those that keep a line back; the end of the process is the end of a burst, too. */
const keeping = new Set<LineLimit>();
const endAll = (): void => {
  for (const limit of [...keeping]) limit.flush();
};

/**
 * Lets through so many lines a second. Of those beyond, the latest is kept until the second is over and then
 * written, unless another took its place; the others are counted, and the next line has their number as
 * `suppressed`. So the end of a burst is seen, and lines and numbers together are all there were.
 */
export class LineLimit {
  readonly #lines: number;
  readonly #write: (fields: object, message: string) => void;
  /** When the second at hand began: with its first line. */
  #began = Number.NEGATIVE_INFINITY;
  #taken = 0;
  #suppressed = 0;
  #keptFields: object | undefined;
  #keptMessage = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(linesPerSecond: number, write: (fields: object, message: string) => void) {
    this.#lines = linesPerSecond;
    this.#write = write;
  }

  /** @param fields  the caller must not change them afterwards */
  put(fields: object, message: string): void {
    const now = performance.now();
    if (now - this.#began >= INTERVAL_MS) this.#begin(now);
    if (this.#keptFields !== undefined) this.#suppressed += 1;
    if (this.#taken < this.#lines) {
      this.#letThrough(fields, message);
      return;
    }
    this.#keptFields = fields;
    this.#keptMessage = message;
    if (this.#timer === undefined) this.#keep(this.#began + INTERVAL_MS - now);
  }

  /** Writes what is kept back now. */
  flush(): void {
    const fields = this.#keptFields;
    if (fields === undefined) return;
    this.#begin(performance.now());
    this.#letThrough(fields, this.#keptMessage);
  }

  #begin(now: number): void {
    this.#began = now;
    this.#taken = 0;
  }

  #keep(milliseconds: number): void {
    // For the sake of a line no process lives on.
    this.#timer = setTimeout(() => this.flush(), Math.ceil(milliseconds)).unref();
    keeping.add(this);
    if (!process.listeners('exit').includes(endAll)) process.on('exit', endAll);
  }

  #letThrough(fields: object, message: string): void {
    this.#taken += 1;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    this.#keptFields = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    keeping.delete(this);
    this.#write(suppressed === 0 ? fields : { ...fields, suppressed }, message);
  }
}
