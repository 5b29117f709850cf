import { LOG_LEVELS } from '../log.ts';
import type { MachineControl } from '../machine/control.ts';
import {
  isFlag,
  isFormat,
  type CommandIndex,
  type MonitorCommand,
  type Parameter,
} from './command.ts';
import { descendants, findObject, objectTree, type ObjectNode } from './object-tree.ts';
import { wordAtEnd } from './words.ts';

export interface Completion {
  /** The word under the cursor, as far as it is typed. */
  readonly word: string;
  /** What it may become. */
  readonly candidates: readonly string[];
}

function pathCandidates(root: ObjectNode, word: string): string[] {
  const nodes = descendants(root);
  if (word.startsWith('/')) return nodes.map((node) => node.path);
  return nodes
    .filter((node) => node.type !== 'container')
    .map((node) => node.path.slice(node.path.lastIndexOf('/') + 1));
}

function objectNamed(root: ObjectNode, name: string): ObjectNode | undefined {
  try {
    return findObject(root, name);
  } catch {
    return undefined;
  }
}

function propertyValues(node: ObjectNode | undefined, property: string | undefined): string[] {
  const found = node?.properties.find(({ name }) => name === property);
  return found?.type === 'bool' ? ['on', 'off'] : [];
}

/** @param before the arguments in front of the word */
function argumentCandidates(
  control: MachineControl,
  parameter: Parameter | undefined,
  before: readonly string[],
  word: string,
): string[] {
  if (parameter?.kind === undefined || parameter.kind === 'command') return [];
  switch (parameter.kind) {
    case 'cpu':
      return control.cpus().map(({ id }) => String(id));
    case 'memory-device':
      return control.memoryDevices().map(({ id }) => id);
    case 'log-level':
      return ['none', ...LOG_LEVELS];
    case 'file':
      return [];
    default:
      return objectCandidates(control, parameter.kind, before, word);
  }
}

function objectCandidates(
  control: MachineControl,
  kind: 'path' | 'property' | 'writable-property' | 'property-value',
  before: readonly string[],
  word: string,
): string[] {
  const root = objectTree(control.objects());
  const [path, property] = before;
  const node = path === undefined ? undefined : objectNamed(root, path);
  switch (kind) {
    case 'path':
      return pathCandidates(root, word);
    case 'property':
      return ['type', ...(node?.properties ?? []).map(({ name }) => name)];
    case 'writable-property':
      return (node?.properties ?? []).filter(({ writable }) => writable).map(({ name }) => name);
    case 'property-value':
      return propertyValues(node, property);
  }
}

function names(commands: readonly MonitorCommand[]): string[] {
  return commands.flatMap((command) => [command.name, ...(command.aliases ?? [])]);
}

/** Subcommand names without their group. */
function subcommandNames(commands: CommandIndex, group: string): string[] {
  return names(commands.subcommands(group)).map((name) => name.slice(group.length + 1));
}

function candidatesFor(
  commands: CommandIndex,
  control: MachineControl,
  before: readonly string[],
  word: string,
): string[] {
  const [first, ...others] = before;
  if (first === undefined) return names(commands.topLevel());
  const found = commands.find(before);
  const parameters = found?.command.parameters ?? [];
  if (parameters[0]?.kind === 'command') {
    // `info` and `help` take names of commands: `help` any, `info` its own.
    if (found?.command.name === 'help') return candidatesFor(commands, control, others, word);
    return others.length === 0 ? subcommandNames(commands, first) : [];
  }
  const args = before.slice(found?.nameWords ?? 1);
  if (word.startsWith('-')) return parameters.filter(isFlag).map(({ name }) => name);
  const takesFormat = parameters.some(isFormat);
  const positional = args.filter(
    (arg) => !arg.startsWith('-') && !(takesFormat && arg.startsWith('/')),
  );
  const parameter = parameters.filter((each) => !isFlag(each) && !isFormat(each))[
    positional.length
  ];
  return argumentCandidates(control, parameter, positional, word);
}

/** What the last word of `line`, the text in front of the cursor, may become. */
export function complete(
  commands: CommandIndex,
  control: MachineControl,
  line: string,
): Completion {
  const { word, before } = wordAtEnd(line);
  const matching = candidatesFor(commands, control, before, word).filter((candidate) =>
    candidate.startsWith(word),
  );
  return { word, candidates: [...new Set(matching)].sort() };
}
