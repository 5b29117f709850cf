import { ConfigError } from '../errors.ts';
import { Arguments, isFlag, isFormat, type MonitorCommand, type Parameter } from './command.ts';
import { printable } from './text.ts';

function refuse(command: MonitorCommand, why: string): never {
  throw new ConfigError('MONITOR_USAGE', `${command.name}: ${why}; try "help ${command.name}"`);
}

/** Takes the flags in front of the other words. @returns how many words they are */
function takeFlags(
  command: MonitorCommand,
  words: readonly string[],
  values: Map<string, string>,
): number {
  const flags = (command.parameters ?? []).filter(isFlag).map((flag) => flag.name);
  if (flags.length === 0) return 0;
  let count = 0;
  for (const word of words) {
    if (!word.startsWith('-')) break;
    if (!flags.includes(word)) refuse(command, `there is no flag ${printable(word, 40)}`);
    values.set(word, '');
    count += 1;
  }
  return count;
}

/** Takes `/fmt`, which may be left out. @returns how many words it is */
function takeFormat(
  command: MonitorCommand,
  word: string | undefined,
  values: Map<string, string>,
): number {
  const format = (command.parameters ?? []).find(isFormat);
  if (format === undefined || word?.startsWith('/') !== true) return 0;
  values.set(format.name, word);
  return 1;
}

/**
 * Matches the words behind a command's name with its parameters.
 *
 * @throws ConfigError for a missing argument, an unknown flag, or words too many
 */
export function parseArguments(command: MonitorCommand, words: readonly string[]): Arguments {
  const values = new Map<string, string>();
  let next = takeFlags(command, words, values);
  next += takeFormat(command, words[next], values);
  const positional = (command.parameters ?? []).filter(isPositional);
  for (const parameter of positional) {
    const value = parameter.rest === true ? words.slice(next).join(' ') : (words[next] ?? '');
    if (next >= words.length) {
      if (parameter.optional !== true) refuse(command, `${parameter.name} is missing`);
      break;
    }
    values.set(parameter.name, value);
    next = parameter.rest === true ? words.length : next + 1;
  }
  const extra = words[next];
  if (extra !== undefined) refuse(command, `${printable(extra, 40)} is one argument too many`);
  return new Arguments(values);
}

function isPositional(parameter: Parameter): boolean {
  return !isFlag(parameter) && !isFormat(parameter);
}

function spell(parameter: Parameter): string {
  const mayBeLeftOut = !isPositional(parameter) || parameter.optional === true;
  return mayBeLeftOut ? `[${parameter.name}]` : parameter.name;
}

/** A command's name, aliases and parameters: `info memory-devices [-v]`. */
export function synopsis(command: MonitorCommand): string {
  const names = [command.name, ...(command.aliases ?? [])].join('|');
  const parameters = (command.parameters ?? []).map(spell);
  return [names, ...parameters].join(' ');
}

/** A command as help lists it: `quit|q  -- end the machine`. */
export function describe(command: MonitorCommand): string {
  const names = [command.name, ...(command.aliases ?? [])].join('|');
  const parameters = (command.parameters ?? []).map(spell).join(' ');
  return `${names} ${parameters} -- ${command.summary}`;
}
