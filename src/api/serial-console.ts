import type { Duplex } from 'node:stream';
import { checkTimeout, Deadline } from './deadline.ts';

/** Characters that are kept of what nobody has expected. */
const KEPT = 1024 * 1024;
/** Characters of what came that an error shows. */
const SHOWN = 4000;
/** How long more text may take to come before what there is is searched, in milliseconds. */
const SETTLE_MS = 10;
/** Generous, because machines that run tests are shared, and may be emulated. */
const DEFAULT_TIMEOUT_MS = 60_000;

export interface ExpectOptions {
  /** How long to wait. Default: a minute. */
  readonly timeoutMs?: number | undefined;
}

/** Index after the first match, or -1. */
function matchEnd(wanted: string | RegExp, text: string): number {
  if (typeof wanted === 'string') {
    const at = text.indexOf(wanted);
    return at < 0 ? -1 : at + wanted.length;
  }
  const match = new RegExp(wanted.source, wanted.flags.replace(/[gy]/g, '')).exec(text);
  return match === null ? -1 : match.index + match[0].length;
}

/** A conversation over a serial port: text is sent, and text that should come is waited for. */
export class SerialConsole {
  readonly #serial: Duplex;
  /** What has come, of which the first `#taken` characters were expected. */
  #text = '';
  #taken = 0;
  #ended = false;
  #look: (() => void) | undefined;
  /** Length of what the last look has searched in vain. */
  #searched = 0;
  #settle: NodeJS.Timeout | undefined;
  readonly #onData = (bytes: Buffer): void => {
    this.#text += bytes.toString('latin1');
    const surplus = this.#text.length - this.#taken - KEPT;
    if (surplus > 0) this.#taken += surplus;
    if (this.#taken > 2 * SHOWN) {
      this.#text = this.#text.slice(this.#taken - SHOWN);
      this.#taken = SHOWN;
    }
    this.#lookSoon();
  };
  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#look?.();
  };

  /** Reads the port from now on. */
  constructor(serial: Duplex) {
    this.#serial = serial;
    serial.on('data', this.#onData).once('end', this.#onEnd);
  }

  /** Sends text as it is; a line needs its `\n`. */
  send(text: string): void {
    this.#serial.write(text, 'latin1');
  }

  /**
   * Waits for `wanted` in what no earlier call has taken. One at a time.
   *
   * @returns the text up to and including the match, which is then taken
   * @throws (rejects with) Error with the end of what came, when it does not come in time or at all
   */
  async expect(wanted: string | RegExp, options: ExpectOptions = {}): Promise<string> {
    if (this.#look !== undefined) throw new Error('the console is waiting for something already');
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    checkTimeout('timeoutMs', timeoutMs);
    let deadline: Deadline | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#look = () => {
          const text = this.#text.slice(this.#taken);
          this.#searched = text.length;
          const end = matchEnd(wanted, text);
          if (end >= 0) resolve(this.#take(this.#taken + end));
          else if (this.#ended) reject(this.#failure(wanted, 'it has ended'));
        };
        deadline = new Deadline(timeoutMs, () =>
          reject(this.#failure(wanted, `nothing in ${timeoutMs} ms`)),
        );
        this.#look();
      });
    } finally {
      deadline?.clear();
      clearTimeout(this.#settle);
      this.#settle = undefined;
      this.#look = undefined;
    }
  }

  /** A guest that says much in small pieces must not have all of it searched again for each. */
  #lookSoon(): void {
    const length = this.#text.length - this.#taken;
    if (length - this.#searched > this.#searched / 8) {
      this.#look?.();
      return;
    }
    if (this.#look === undefined) return;
    this.#settle ??= setTimeout(() => {
      this.#settle = undefined;
      this.#look?.();
    }, SETTLE_MS);
  }

  /** Reads no more. */
  close(): void {
    this.#serial.off('data', this.#onData).off('end', this.#onEnd);
  }

  #take(end: number): string {
    const text = this.#text.slice(this.#taken, end);
    this.#taken = end;
    return text;
  }

  #failure(wanted: string | RegExp, why: string): Error {
    const shown = this.#text.slice(-SHOWN);
    return new Error(`serial console: expected ${String(wanted)}, ${why}\n--- it said\n${shown}`);
  }
}
