import { createInterface, type Interface } from 'node:readline';
import { PassThrough, Writable } from 'node:stream';
import type { Endpoint } from '../terminal/endpoint.ts';
import { complete } from './completion.ts';
import { banner, HISTORY_LENGTH, PROMPT, type Session } from './session.ts';

/** Characters of a line that somebody types. */
const LINE_LIMIT = 4096;

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
  /** Ctrl-C on an empty line, or while a command runs. */
  readonly onInterrupt?: () => void;
}

/**
 * A monitor client that is a person at a terminal: lines are echoed and edited, with history and
 * completion. What is typed while a command runs waits, and is echoed after the next prompt.
 */
export class TerminalClient {
  readonly #endpoint: Endpoint;
  readonly #session: Session;
  readonly #options: TerminalClientOptions;
  readonly #keys = new PassThrough();
  readonly #editor: Interface;
  /** Typed, and not yet given to the editor: at most what one chunk holds. */
  #typed: Uint8Array = new Uint8Array(0);
  #greeted = false;
  #running = false;
  #skipping = false;

  constructor(endpoint: Endpoint, session: Session, options: TerminalClientOptions = {}) {
    this.#endpoint = endpoint;
    this.#session = session;
    this.#options = options;
    this.#editor = createInterface({
      input: this.#keys,
      output: new EditorOutput(endpoint),
      terminal: true,
      prompt: PROMPT,
      historySize: HISTORY_LENGTH,
      removeHistoryDuplicates: true,
      completer: (line: string) => this.#complete(line),
    });
    this.#editor.on('line', (line) => void this.#run(line));
    endpoint.onFocus(() => this.#focused());
    endpoint.onInput((bytes) => {
      this.#typed = bytes;
      this.#feed();
    });
  }

  /** Ends line editing; the terminal itself belongs to somebody else. */
  close(): void {
    this.#running = true;
    this.#editor.close();
  }

  #print(text: string): boolean {
    return this.#endpoint.write(text.replaceAll('\n', '\r\n'));
  }

  #focused(): void {
    if (!this.#greeted) this.#print(banner(this.#session.control.version));
    this.#greeted = true;
    if (!this.#running) this.#editor.prompt(true);
  }

  #complete(line: string): [string[], string] {
    const { word, candidates } = complete(this.#session.commands, this.#session.control, line);
    const only = candidates.length === 1 ? candidates[0] : undefined;
    return [only === undefined ? [...candidates] : [`${only} `], word];
  }

  /** Gives the editor what was typed, up to the end of a line: a command must be done first. */
  #feed(): void {
    while (this.#typed.length > 0 && !this.#running) {
      const at = this.#typed.findIndex((byte) => SPECIAL.has(byte));
      const plain = at === -1 ? this.#typed.length : at;
      if (plain > 0) this.#edit(this.#typed.subarray(0, plain));
      const key = this.#typed[plain];
      this.#typed = this.#typed.subarray(plain + 1);
      if (key !== undefined) this.#special(key);
    }
    if (this.#typed.length > 0) this.#endpoint.pauseInput();
    else this.#endpoint.resumeInput();
  }

  /** Hands keys to the editor, which decodes them. */
  #edit(keys: Uint8Array): void {
    if (this.#skipping) return;
    if (this.#editor.line.length + keys.length > LINE_LIMIT) {
      this.#skipping = true;
      this.#clearLine();
      return;
    }
    this.#keys.emit('data', Buffer.from(keys));
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
        // Deletes; on an empty line it would end the editor, which has nowhere to go.
        if (this.#editor.line !== '') this.#edit(Uint8Array.of(key));
        return;
      case KEY.ctrlZ:
        return;
      default:
        if (this.#skipping) this.#refuseLine();
        else this.#edit(Uint8Array.of(key));
    }
  }

  #clearLine(): void {
    this.#editor.write(null, { ctrl: true, name: 'e' });
    this.#editor.write(null, { ctrl: true, name: 'u' });
  }

  #refuseLine(): void {
    this.#skipping = false;
    this.#print(`\nError: the line is longer than ${LINE_LIMIT} bytes and was ignored\n`);
    this.#editor.prompt();
  }

  async #run(line: string): Promise<void> {
    this.#running = true;
    this.#print(await this.#session.execute(line));
    if (this.#session.ended) {
      this.#editor.close();
      return;
    }
    this.#running = false;
    this.#editor.prompt();
    this.#feed();
  }
}
