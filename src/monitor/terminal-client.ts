import { createInterface, type Interface } from 'node:readline';
import { PassThrough, Writable } from 'node:stream';
import type { Endpoint } from '../terminal/endpoint.ts';
import { HISTORY_LENGTH, type Conversation } from './conversation.ts';

/** Characters of a line that somebody types. */
const LINE_LIMIT = 4096;

/** Bytes that may wait while a command runs; more is dropped. */
const TYPED_LIMIT = 64 * 1024;

/** Keys that the editor gets in one turn of the event loop: each costs it up to 0.1 ms. */
const KEYS_PER_TURN = 32;

/** Keys that are dealt with before the line editor sees them. */
const KEY = { ctrlC: 0x03, ctrlD: 0x04, newline: 0x0a, enter: 0x0d, ctrlZ: 0x1a } as const;
const SPECIAL = new Set<number>(Object.values(KEY));

/** The line editor's output: as wide as the endpoint says. */
class EditorOutput extends Writable {
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    super({ decodeStrings: false });
    this.#endpoint = endpoint;
    endpoint.onResize(() => this.emit('resize'));
  }

  get columns(): number {
    return this.#endpoint.columns() ?? 80;
  }

  override _write(text: string, _encoding: BufferEncoding, callback: () => void): void {
    this.#endpoint.write(text);
    callback();
  }
}

export interface TerminalClientOptions {
  readonly prompt: string;
  /** Ctrl-C on an empty line, or while a command runs. */
  readonly onInterrupt?: () => void;
  /** Ctrl-D on an empty line. */
  readonly onEndOfInput?: () => void;
  /** Ctrl-Z, when no command runs. */
  readonly onSuspend?: () => void;
}

type Completed = (error: null, result: [string[], string]) => void;

/**
 * A monitor client that is a person at a terminal: lines are echoed and edited, with history and
 * completion. What is typed while a command runs waits, and is echoed after the next prompt.
 */
export class TerminalClient {
  readonly #endpoint: Endpoint;
  readonly #session: Conversation;
  readonly #options: TerminalClientOptions;
  readonly #keys = new PassThrough();
  readonly #editor: Interface;
  /** Typed, and not yet given to the editor. */
  #typed: Uint8Array = new Uint8Array(0);
  #greeted = false;
  /** A command runs, or a word is being completed: keys wait. */
  #running = false;
  #skipping = false;
  #closed = false;
  #next: NodeJS.Immediate | undefined;

  constructor(endpoint: Endpoint, session: Conversation, options: TerminalClientOptions) {
    this.#endpoint = endpoint;
    this.#session = session;
    this.#options = options;
    this.#editor = createInterface({
      input: this.#keys,
      output: new EditorOutput(endpoint),
      terminal: true,
      prompt: options.prompt,
      historySize: HISTORY_LENGTH,
      removeHistoryDuplicates: true,
      completer: (line: string, done: Completed) => void this.#complete(line, done),
    });
    this.#editor.on('line', (line) => void this.#run(line));
    endpoint.onFocus(() => this.#focused());
    endpoint.onInput((bytes) => this.#type(bytes));
  }

  /** Shows the prompt and the line again: others have written on the screen. */
  redraw(): void {
    if (!this.#running) this.#editor.prompt(true);
  }

  /** Ends line editing; the terminal itself belongs to somebody else. */
  close(): void {
    this.#closed = true;
    this.#running = true;
    clearImmediate(this.#next);
    this.#editor.close();
  }

  #print(text: string): boolean {
    return this.#endpoint.write(text.replaceAll('\n', '\r\n'));
  }

  #focused(): void {
    if (!this.#greeted) this.#print(this.#session.greeting);
    this.#greeted = true;
    if (!this.#running) this.#editor.prompt(true);
  }

  async #complete(line: string, done: Completed): Promise<void> {
    this.#running = true;
    const { word, candidates } = await this.#session.complete(line);
    if (this.#closed) return;
    const only = candidates.length === 1 ? candidates[0] : undefined;
    done(null, [only === undefined ? [...candidates] : [`${only} `], word]);
    this.#running = false;
    this.#feed();
  }

  #type(bytes: Uint8Array): void {
    if (this.#running && bytes.includes(KEY.ctrlC)) {
      this.#typed = new Uint8Array(0);
      this.#options.onInterrupt?.();
      return;
    }
    const room = TYPED_LIMIT - this.#typed.length;
    this.#typed = Buffer.concat([this.#typed, bytes.subarray(0, room)]);
    this.#feed();
  }

  /** Gives the editor what was typed, up to the end of a line: a command must be done first. */
  #feed(): void {
    clearImmediate(this.#next);
    for (let turn = 0; turn < KEYS_PER_TURN; turn++) {
      const key = this.#takeKey();
      if (key === undefined) return;
      if (SPECIAL.has(key)) this.#special(key);
      else this.#edit(key);
    }
    this.#next = setImmediate(() => this.#feed());
  }

  #takeKey(): number | undefined {
    if (this.#running) return undefined;
    if (this.#skipping) {
      const end = this.#typed.findIndex((key) => SPECIAL.has(key));
      this.#typed = this.#typed.subarray(end === -1 ? this.#typed.length : end);
    }
    const key = this.#typed[0];
    this.#typed = this.#typed.subarray(1);
    return key;
  }

  /**
   * Hands a key to the editor, which puts together those of several bytes. One at a time: a longer
   * piece it takes for pasted text, and appends it wherever the cursor is.
   */
  #edit(key: number): void {
    this.#keys.emit('data', Buffer.of(key));
    if (this.#editor.line.length <= LINE_LIMIT) return;
    this.#skipping = true;
    this.#clearLine();
  }

  #special(key: number): void {
    switch (key) {
      case KEY.ctrlC:
        if (this.#editor.line === '') this.#options.onInterrupt?.();
        this.#clearLine();
        this.#skipping = false;
        this.#print('^C\n');
        this.#editor.prompt();
        return;
      case KEY.ctrlD:
        // Deletes; an empty line would end the editor, whoever else still needs it.
        if (this.#editor.line !== '') this.#edit(key);
        else this.#options.onEndOfInput?.();
        return;
      case KEY.ctrlZ:
        this.#options.onSuspend?.();
        return;
      default:
        if (this.#skipping) this.#refuseLine();
        else this.#edit(key);
    }
  }

  #clearLine(): void {
    this.#editor.write(null, { ctrl: true, name: 'e' });
    this.#editor.write(null, { ctrl: true, name: 'u' });
  }

  #refuseLine(): void {
    this.#skipping = false;
    this.#print(`\nError: the line is longer than ${LINE_LIMIT} characters and was ignored\n`);
    this.#editor.prompt();
  }

  async #run(line: string): Promise<void> {
    this.#running = true;
    this.#print(await this.#session.execute(line));
    if (this.#closed) return;
    if (this.#session.ended) {
      this.#editor.close();
      return;
    }
    this.#running = false;
    this.#editor.prompt();
    this.#feed();
  }
}
