import { ConfigError } from '../errors.ts';
import type { MachineControl } from '../machine/control.ts';
import type { ValueFormat } from './value-format.ts';

/** What a parameter names: decides what Tab offers for it. */
export type ParameterKind =
  | 'command'
  | 'cpu'
  | 'file'
  | 'log-level'
  | 'memory-device'
  | 'path'
  | 'property'
  | 'writable-property'
  | 'property-value';

export interface Parameter {
  /**
   * As help shows it; `-v` is a flag, which may only be given before other arguments. `/fmt` takes a
   * word that begins so, which may also follow the command without a space.
   */
  readonly name: string;
  readonly optional?: boolean;
  /** The rest of the line, as one argument. */
  readonly rest?: boolean;
  readonly kind?: ParameterKind;
}

export function isFlag(parameter: Parameter): boolean {
  return parameter.name.startsWith('-');
}

export function isFormat(parameter: Parameter): boolean {
  return parameter.name.startsWith('/');
}

/** What a client has chosen; kept from one command to the next. */
export interface SessionSettings {
  /** The vCPU that registers and virtual addresses are of. */
  cpu: number;
  /** What `x`, `xp` and `print` write without a format. */
  format: ValueFormat;
  /** How wide what it shows may be, in characters, where it has said so. */
  columns: number | undefined;
}

/** What a command is given to work with. */
export interface CommandContext {
  readonly control: MachineControl;
  readonly commands: CommandIndex;
  /** The client's command lines, oldest first. */
  readonly history: readonly string[];
  readonly settings: SessionSettings;
  /** Width of what the client shows, in characters. */
  readonly columns: number;
  /** Asks for the client's session to end after this command. */
  endSession(): void;
}

/** The arguments of one command line, by the names of the command's parameters. */
export class Arguments {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  optional(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** @throws ConfigError when it is not there, which the parser prevents for required ones */
  required(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new ConfigError('MONITOR_USAGE', `${name} is missing`);
    return value;
  }
}

export interface MonitorCommand {
  /** One word, or two for the subcommands of `info`. */
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly parameters?: readonly Parameter[];
  /** What a client says on its own account: its user has not said it, and `info history` is silent. */
  readonly isForPrograms?: boolean;
  /** One line for help. */
  readonly summary: string;
  /** For the manual: what the summary leaves out, in paragraphs. */
  readonly details?: string;
  /**
   * @returns what to print: nothing, or lines that each end in a newline
   * @throws ConfigError and others, printed as `Error: …`
   */
  run(args: Arguments, context: CommandContext): string | Promise<string>;
}

export interface FoundCommand {
  readonly command: MonitorCommand;
  /** Words of its name: 2 for a subcommand of `info`. */
  readonly nameWords: number;
}

/** The commands that there are. */
export interface CommandIndex {
  readonly all: readonly MonitorCommand[];
  /** The command that a line's words begin with. */
  find(words: readonly string[]): FoundCommand | undefined;
  /** Commands of one word. */
  topLevel(): readonly MonitorCommand[];
  /** The commands `group …`, as `info status` of `info`. */
  subcommands(group: string): readonly MonitorCommand[];
}
