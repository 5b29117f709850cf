import { messageOf, TsvmmError } from '../errors.ts';
import { log } from '../log.ts';
import type { MachineControl } from '../machine/control.ts';
import { parseArguments } from './arguments.ts';
import { isFormat, type SessionSettings } from './command.ts';
import type { CommandTable } from './command-table.ts';
import { complete, type Completion } from './completion.ts';
import { HISTORY_LENGTH, type Conversation } from './conversation.ts';
import { printable } from './text.ts';
import { DEFAULT_FORMAT } from './value-format.ts';
import { completeWords, splitWords } from './words.ts';

/** Characters of a line that is remembered; longer ones are run and forgotten. */
const HISTORY_LINE_LENGTH = 4096;
/** Characters of an error that are shown: messages may quote a whole line. */
const ERROR_LENGTH = 500;
/** Width of what a client shows that does not say. */
const DEFAULT_COLUMNS = 80;

/** The state of one client: what it has said, and whether it is still talking. */
export class Session implements Conversation {
  readonly control: MachineControl;
  readonly commands: CommandTable;
  readonly settings: SessionSettings = {
    cpu: 0,
    format: DEFAULT_FORMAT,
    columns: undefined,
  };
  readonly #width: () => number | undefined;
  #history: string[] = [];
  #ended = false;

  /** @param width  what the client shows in a line, where that is known */
  constructor(
    control: MachineControl,
    commands: CommandTable,
    width: () => number | undefined = () => undefined,
  ) {
    this.control = control;
    this.commands = commands;
    this.#width = width;
  }

  get columns(): number {
    return this.#width() ?? this.settings.columns ?? DEFAULT_COLUMNS;
  }

  get history(): readonly string[] {
    return this.#history;
  }

  get greeting(): string {
    return banner(this.control.version);
  }

  /** Whether a command has asked for nothing more to be run. */
  get ended(): boolean {
    return this.#ended;
  }

  endSession(): void {
    this.#ended = true;
  }

  /**
   * Runs one command line.
   *
   * @returns what to print, lines that end in a newline; a failure is told there and nowhere else
   */
  async execute(line: string): Promise<string> {
    const text = line.trim();
    if (text === '') return '';
    if (!this.#isForPrograms(text)) this.#remember(text);
    try {
      return await this.#run(text);
    } catch (error) {
      if (!(error instanceof TsvmmError)) log('monitor').error({ err: error }, 'command failed');
      return `Error: ${printable(messageOf(error), ERROR_LENGTH)}\n`;
    }
  }

  complete(line: string): Promise<Completion> {
    return Promise.resolve(complete(this.commands, this.control, line));
  }

  async #run(line: string): Promise<string> {
    const words = this.#splitFormat(completeWords(line).map((word) => word.text));
    const found = this.commands.find(words);
    if (found === undefined) {
      // A subcommand that does not exist is called by both its words.
      const [first = '', second = ''] = words;
      const isGroup = this.commands.subcommands(first).length > 0;
      return `unknown command: '${printable(isGroup ? `${first} ${second}` : first)}'\n`;
    }
    const args = parseArguments(found.command, words.slice(found.nameWords));
    return found.command.run(args, this);
  }

  /** `x/8xb` is `x /8xb`, for the commands that take a format. */
  #splitFormat(words: readonly string[]): readonly string[] {
    const [first = '', ...others] = words;
    const slash = first.indexOf('/');
    if (slash <= 0) return words;
    const name = first.slice(0, slash);
    const takesFormat = this.commands.find([name])?.command.parameters?.some(isFormat) === true;
    return takesFormat ? [name, first.slice(slash), ...others] : words;
  }

  #isForPrograms(line: string): boolean {
    const words = splitWords(line).words.map((word) => word.text);
    return this.commands.find(words)?.command.isForPrograms === true;
  }

  /** A line said again moves to the end. */
  #remember(line: string): void {
    if (line.length > HISTORY_LINE_LENGTH) return;
    this.#history = this.#history.filter((earlier) => earlier !== line);
    this.#history.push(line);
    if (this.#history.length > HISTORY_LENGTH) this.#history.shift();
  }
}

/** What every client sees first. */
function banner(version: string): string {
  return `tsvmm ${version} monitor - type 'help' for more information\n`;
}
