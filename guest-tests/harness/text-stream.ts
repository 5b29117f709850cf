/** How long an expected text may take: generous, because machines are shared and may be emulated. */
export const WAIT_LIMIT_MS = 90_000;

/** Characters of a transcript that an error shows. */
const SHOWN = 4000;

interface Waiter {
  readonly find: (text: string) => number;
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
  readonly wanted: string;
}

/** Index after the first match, or -1. */
function matcher(wanted: string | RegExp): (text: string) => number {
  if (typeof wanted === 'string') {
    return (text) => {
      const at = text.indexOf(wanted);
      return at < 0 ? -1 : at + wanted.length;
    };
  }
  return (text) => {
    const match = wanted.exec(text);
    return match === null ? -1 : match.index + match[0].length;
  };
}

/** Text that arrives over time, for tests that wait for a part of it. */
export class TextStream {
  readonly #name: string;
  readonly #explain: () => string;
  #all = '';
  #consumed = 0;
  #ended = false;
  #waiter: Waiter | undefined;

  /**
   * @param name     for errors, as `serial console`
   * @param explain  what else an error should show, as the VMM's stderr
   */
  constructor(name: string, explain: () => string) {
    this.#name = name;
    this.#explain = explain;
  }

  /** Everything that has come. */
  get transcript(): string {
    return this.#all;
  }

  push(text: string): void {
    this.#all += text;
    this.#look();
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true;
    this.#look();
  }

  /**
   * Waits for `wanted` in what no earlier call has taken.
   *
   * @returns the text up to and including the match, which is then taken
   * @throws Error with the transcript when it does not come within `limitMs`, or the stream ends
   */
  async expect(wanted: string | RegExp, limitMs = WAIT_LIMIT_MS): Promise<string> {
    if (this.#waiter !== undefined) throw new Error(`${this.#name}: two expectations at once`);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#waiter = { find: matcher(wanted), resolve, reject, wanted: String(wanted) };
        timer = setTimeout(() => reject(this.#failure(`nothing in ${limitMs} ms`)), limitMs);
        this.#look();
      });
    } finally {
      clearTimeout(timer);
      this.#waiter = undefined;
    }
  }

  /** Waits until nothing more comes; @returns what no expectation has taken. */
  async rest(limitMs = WAIT_LIMIT_MS): Promise<string> {
    if (!this.#ended) {
      await this.expect(/$a/, limitMs).catch((error: unknown) => {
        if (!this.#ended) throw error;
      });
    }
    return this.#take(this.#all.length);
  }

  #look(): void {
    const waiter = this.#waiter;
    if (waiter === undefined) return;
    const end = waiter.find(this.#all.slice(this.#consumed));
    if (end >= 0) waiter.resolve(this.#take(this.#consumed + end));
    else if (this.#ended) waiter.reject(this.#failure('it has ended'));
  }

  #take(end: number): string {
    const text = this.#all.slice(this.#consumed, end);
    this.#consumed = end;
    return text;
  }

  #failure(why: string): Error {
    const wanted = this.#waiter?.wanted ?? '';
    const transcript = this.#all.slice(-SHOWN);
    return new Error(
      `${this.#name}: expected ${wanted}, ${why}\n--- ${this.#name}\n${transcript}\n${this.#explain()}`,
    );
  }
}
