import { ConfigError } from '../errors.ts';
import type { VmOptions } from './options.ts';

type Kind = 'string' | 'number' | 'boolean' | 'object' | 'list';

interface Shape {
  readonly is: readonly Kind[];
  /** What the elements of a list are. */
  readonly of?: readonly Kind[];
}

const text: Shape = { is: ['string'] };
const flag: Shape = { is: ['boolean'] };
const keyed: Shape = { is: ['list'], of: ['object', 'string'] };

/** Every option there is: the compiler refuses one that is missing here. */
const SHAPES: Readonly<Record<keyof VmOptions, Shape>> = {
  kernel: text,
  initrd: text,
  append: text,
  memory: { is: ['number', 'string', 'object'] },
  cpus: { is: ['number', 'string'] },
  numa: keyed,
  virtioMem: keyed,
  memoryBackends: keyed,
  serial: flag,
  reboot: flag,
  onViolation: { is: ['string', 'object'] },
  pauseClock: text,
  cpuAffinity: text,
  name: text,
  uuid: text,
  qmp: { is: ['string', 'list'], of: ['string'] },
  qmpEventIntervalMs: { is: ['number'] },
  monitor: text,
  monitorPrompt: text,
};

const WORDS: Readonly<Record<Kind, string>> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  list: 'a list',
};

function refuse(message: string): never {
  throw new ConfigError('BAD_OPTION', message);
}

function isOfKind(value: unknown, kind: Kind): boolean {
  if (kind === 'list') return Array.isArray(value);
  if (kind === 'object') return typeof value === kind && value !== null && !Array.isArray(value);
  return typeof value === kind;
}

function check(name: string, value: unknown, { is, of }: Shape): void {
  if (!is.some((kind) => isOfKind(value, kind))) {
    refuse(`the option ${name} must be ${is.map((kind) => WORDS[kind]).join(' or ')}`);
  }
  if (of === undefined || !Array.isArray(value)) return;
  value.forEach((each: unknown, at) => check(`${name}[${at}]`, each, { is: of }));
}

/**
 * Checks names and kinds of options, for callers in JavaScript: a misspelt option would otherwise be
 * as good as none. What the values mean is checked by the parsers of the command line.
 *
 * @throws ConfigError
 */
export function checkOptions(options: VmOptions): void {
  const shapes = new Map<string, Shape>(Object.entries(SHAPES));
  for (const [name, value] of Object.entries<unknown>({ ...options })) {
    const shape = shapes.get(name);
    if (shape === undefined) {
      const known = [...shapes.keys()].join(', ');
      refuse(`unknown option ${name}; the options are ${known}`);
    }
    if (value !== undefined) check(name, value, shape);
  }
  if (typeof options.kernel === 'string' && options.kernel !== '') return;
  refuse('the option kernel is missing: the path of what to boot');
}
