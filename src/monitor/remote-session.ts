import type { Socket } from 'node:net';
import { HostError } from '../errors.ts';
import type { Completion } from './completion.ts';
import type { Conversation } from './conversation.ts';
import { GREETING_AND_PROMPT } from './prompt.ts';
import { printable } from './text.ts';
import { quoteWord, wordAtEnd } from './words.ts';

/** A monitor whose machine is stopped, or busy, greets all the same. Milliseconds. */
const GREETING_MS = 30_000;

/**
 * The monitor of a machine in another process, at the other end of its socket. It knows the commands
 * and the objects; this side asks it for what words may become.
 */
export class RemoteSession implements Conversation {
  readonly #socket: Socket;
  readonly #columns: () => number | undefined;
  /** Resolves when the monitor, or this side, has closed the connection. */
  readonly closed: Promise<void>;
  #greeting = '';
  #prompt = '';
  /** Whether the monitor repeats what it is asked. */
  #echoes = false;
  #toldColumns: number | undefined;
  #ended = false;
  /** What has come of the answer under way. */
  #text = '';
  #answered: ((text: string) => void) | undefined;

  private constructor(socket: Socket, columns: () => number | undefined) {
    this.#socket = socket;
    this.#columns = columns;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.setEncoding('utf8').on('data', (text: string) => this.#receive(text));
    socket.once('close', () => {
      this.#ended = true;
      this.#answer(this.#text);
    });
  }

  /**
   * Waits for the monitor's greeting.
   *
   * @param socket  connected; its errors are somebody else's
   * @param where   what it is called in messages
   * @param columns what the terminal shows in a line now, where that is known
   * @param limitMs a parameter for tests
   * @throws (rejects with) HostError when something else, or nothing, answers there
   */
  static async open(
    socket: Socket,
    where: string,
    columns: () => number | undefined,
    limitMs = GREETING_MS,
  ): Promise<RemoteSession> {
    const session = new RemoteSession(socket, columns);
    const end = { isLate: false };
    const timer = setTimeout(() => {
      end.isLate = true;
      session.#answer(session.#text);
    }, limitMs);
    const greeting = await new Promise<string>((resolve) => (session.#answered = resolve));
    clearTimeout(timer);
    if (!session.#ended && session.#greeting !== '') return session;
    socket.destroy();
    const silence = end.isLate ? `says nothing for ${limitMs / 1000} s` : 'closes the connection';
    const said = greeting === '' ? silence : `says ${printable(greeting.trim())}`;
    throw new HostError('NOT_A_MONITOR', `${where}: no monitor answers there: it ${said}`);
  }

  get greeting(): string {
    return this.#greeting;
  }

  get prompt(): string {
    return this.#prompt;
  }

  get ended(): boolean {
    return this.#ended;
  }

  async execute(line: string): Promise<string> {
    const columns = this.#columns();
    if (columns !== undefined && columns !== this.#toldColumns) {
      this.#toldColumns = columns;
      await this.#ask(`terminal-width ${columns}`);
    }
    return this.#ask(line);
  }

  async complete(line: string): Promise<Completion> {
    const { word } = wordAtEnd(line);
    const answer = await this.#ask(`terminal-complete ${quoteWord(line)}`);
    // What is no candidate is an error: of a monitor that cannot do it, or of a quotation.
    const candidates = answer.split('\n').filter((each) => each !== '' && each.startsWith(word));
    return { word, candidates };
  }

  async #ask(line: string): Promise<string> {
    if (this.#ended) return '';
    const text = await new Promise<string>((resolve) => {
      this.#answered = resolve;
      this.#socket.write(`${line}\n`);
    });
    return this.#echoes ? text.slice(text.indexOf('\n') + 1).replaceAll('\r\n', '\n') : text;
  }

  #receive(text: string): void {
    this.#text += text;
    if (this.#greeting === '') this.#receiveGreeting();
    else if (this.#isComplete()) this.#answer(this.#text.slice(0, -this.#prompt.length));
  }

  #receiveGreeting(): void {
    const [, greeting, carriageReturn, prompt] = GREETING_AND_PROMPT.exec(this.#text) ?? [];
    if (greeting !== undefined && prompt !== undefined) {
      this.#greeting = greeting.replace('\r', '');
      this.#prompt = prompt;
      this.#echoes = carriageReturn !== '';
    } else if (isLikeGreeting(this.#text)) {
      return;
    }
    // Whatever is no monitor does not prompt either.
    this.#answer(this.#text);
  }

  /** The end of an answer: a prompt on a line of its own. */
  #isComplete(): boolean {
    if (this.#text === this.#prompt) return !this.#echoes;
    return this.#text.endsWith(`\n${this.#prompt}`);
  }

  #answer(text: string): void {
    this.#text = '';
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(text);
  }
}

/** Whether what has come so far may become a greeting. */
function isLikeGreeting(text: string): boolean {
  return 'tsvmm '.startsWith(text.slice(0, 6));
}
