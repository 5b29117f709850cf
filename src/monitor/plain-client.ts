import { LineLimit } from '../line-limit.ts';
import { log } from '../log.ts';
import type { Endpoint } from '../terminal/endpoint.ts';
import { LineSplitter, type NextLine } from './line-splitter.ts';
import type { PromptStyle } from './prompt.ts';
import type { Session } from './session.ts';
import { strangerOf } from './stranger.ts';
import { TelnetInput } from './telnet-input.ts';
import { printable } from './text.ts';

const logger = log('monitor');
const strangers = new LineLimit(1, (fields, message) => logger.warn(fields, message));
/** Bytes of a line from a program. */
const LINE_LIMIT = 64 * 1024;

/** Lets the event loop do other work: a client may send thousands of lines at once. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface PlainClientOptions {
  readonly style: PromptStyle;
  /** Whether the client has come to a port: it may be telnet, or something else, which is let go. */
  readonly isRemote?: boolean;
}

/**
 * A monitor client that is a program: lines in, text out, nothing edited, or echoed unless it wants so. Commands run
 * one after the other; while one runs, and while the client does not read, no input is taken, so
 * that whatever it does waits in its own socket.
 */
export class PlainClient {
  readonly #endpoint: Endpoint;
  readonly #session: Session;
  readonly #style: PromptStyle;
  readonly #splitter = new LineSplitter(LINE_LIMIT);
  #gone = false;
  /** Whether nothing has been said yet that is a line of the monitor. */
  #isStranger: boolean;
  /** Continues after the client has read, or is gone. */
  #wake: (() => void) | undefined;
  /** Resolves when the client will get nothing more. */
  readonly done: Promise<void>;
  #finish: () => void = () => undefined;

  constructor(
    endpoint: Endpoint,
    session: Session,
    { style, isRemote = false }: PlainClientOptions,
  ) {
    this.#endpoint = endpoint;
    this.#session = session;
    this.#style = style;
    this.#isStranger = isRemote;
    const telnet = new TelnetInput(isRemote);
    this.done = new Promise((resolve) => (this.#finish = resolve));
    endpoint.onDrain(() => this.#wake?.());
    endpoint.onClose(() => {
      this.#gone = true;
      this.#wake?.();
      this.#finish();
    });
    this.#write(session.greeting + style.prompt);
    endpoint.onEnd(() => void this.#runLast());
    endpoint.onInput((bytes) => {
      endpoint.pauseInput();
      this.#splitter.push(telnet.filter(bytes));
      void this.#runLines();
    });
  }

  async #runLines(): Promise<void> {
    for (;;) {
      const next = this.#splitter.next();
      if (next === undefined) break;
      await this.#runLine(next);
      if (this.#session.ended || this.#gone) return;
    }
    this.#endpoint.resumeInput();
  }

  async #runLast(): Promise<void> {
    const last = this.#splitter.last();
    if (last !== undefined) await this.#runLine(last);
    this.#finish();
  }

  /** Lets a client go that speaks something else, before anything that it has sent is run. */
  #turnAway(first: NextLine): boolean {
    if (!this.#isStranger) return false;
    this.#isStranger = false;
    const what = strangerOf(first);
    if (what === undefined) return false;
    // A page in a browser may try as often as it likes.
    strangers.put({ what }, 'hung up on a client that is none of the monitor');
    this.#gone = true;
    this.#finish();
    return true;
  }

  async #runLine(next: NextLine): Promise<void> {
    if (this.#turnAway(next)) return;
    // At once: who looks for it does so before there is an answer.
    if (this.#style.echoes && next !== 'too-long') {
      this.#write(`${printable(next.text, LINE_LIMIT)}\n`);
    }
    const output =
      next === 'too-long'
        ? `Error: the line is longer than ${LINE_LIMIT} bytes and was ignored\n`
        : await this.#session.execute(next.text);
    if (this.#gone) return;
    const prompt = this.#session.ended ? '' : this.#style.prompt;
    if (!this.#write(output + prompt)) await this.#drained();
    if (this.#session.ended) this.#finish();
    await breathe();
  }

  #write(text: string): boolean {
    return this.#endpoint.write(this.#style.echoes ? text.replaceAll('\n', '\r\n') : text);
  }

  async #drained(): Promise<void> {
    if (this.#gone) return;
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
  }
}
