import { ConfigError } from '../../errors.ts';
import type { BackingSpec } from '../../memory/backing/spec.ts';
import { alignDown, formatSize, MIB, PAGE_SIZE } from '../../units.ts';
import { KeyValues } from './key-values.ts';
import { checkBootBackend, DEFAULT_MEMORY, MIN_MEMORY, type NumaConfig } from './machine-config.ts';
import { takeBackend } from './memdev.ts';

/** What the nodes are parts of. */
export interface NumaContext {
  readonly cpus: number;
  /** What `--memory` says; absent: nothing. */
  readonly memory: { readonly memorySize: number; readonly memdev: string | undefined } | undefined;
  readonly backends: readonly BackingSpec[];
}

const OPTION = '--numa';
const TYPES = ['node', 'dist'] as const;
/** Their distances take 16 KiB of the 128 KiB that ACPI tables may have. */
const MAX_NODES = 128;
/** ACPI 6.5 §5.2.17: 10 is the distance within a node, 255 stands for out of reach. */
const LOCAL_DISTANCE = 10;
const REMOTE_DISTANCE = 20;
const MAX_DISTANCE = 255;
/** Nodes of equal size meet where no huge page is cut. */
const SPLIT_ALIGNMENT = 2 * MIB;

/** What the user says of a node. */
interface NodeOption {
  readonly cpus: readonly number[] | undefined;
  readonly memorySize: number | undefined;
  readonly memdev: string | undefined;
}

const refuse = (why: string): never => {
  throw new ConfigError('BAD_OPTION', `${OPTION}: ${why}`);
};

function splitType(text: string): { type: (typeof TYPES)[number]; rest: string | undefined } {
  const comma = text.indexOf(',');
  const name = comma < 0 ? text : text.slice(0, comma);
  const type = TYPES.find((it) => it === name);
  if (type !== undefined) return { type, rest: comma < 0 ? undefined : text.slice(comma + 1) };
  const message = `${OPTION} ${text}: unknown type ${name}; write node,… or dist,…`;
  throw new ConfigError('BAD_OPTION', message);
}

/** @param taken  node of each CPU that has one; this node's are added */
function parseNode(
  text: string | undefined,
  node: number,
  context: NumaContext,
  taken: Map<number, number>,
): NodeOption {
  if (text === undefined) return { cpus: undefined, memorySize: undefined, memdev: undefined };
  const keys = new KeyValues(`${OPTION} node`, text, ['cpus']);
  const cpus = keys.numbers('cpus', context.cpus);
  for (const cpu of cpus ?? []) {
    const other = taken.get(cpu);
    if (other !== undefined) keys.refuse('cpus', `CPU ${cpu} is in node ${other} already`);
    taken.set(cpu, node);
  }
  const backend = takeBackend(keys, context.backends, 'memory');
  if (backend !== undefined) checkBootBackend(keys, backend);
  const memorySize = keys.size('memory') ?? backend?.size;
  keys.done();
  if (memorySize !== undefined && memorySize % PAGE_SIZE !== 0) {
    keys.refuse('memory', `not a multiple of the page size, ${PAGE_SIZE}`);
  }
  return { cpus, memorySize, memdev: backend?.id };
}

/** Who named no CPU gets none, unless nobody did: then all are dealt out evenly, in order. */
function dealCpus(
  options: readonly NodeOption[],
  cpus: number,
  taken: ReadonlyMap<number, number>,
): readonly (readonly number[])[] {
  const all = Array.from({ length: cpus }, (_, cpu) => cpu);
  if (taken.size === 0) {
    const nodeOf = (cpu: number): number => Math.floor((cpu * options.length) / cpus);
    return options.map((_, node) => all.filter((cpu) => nodeOf(cpu) === node));
  }
  const left = all.filter((cpu) => !taken.has(cpu));
  if (left.length > 0) {
    refuse(`CPU ${left.join(', ')}: in no node; give cpus= so that each CPU is in one, or nowhere`);
  }
  return options.map((option) => option.cpus ?? []);
}

/** Who named no memory gets none, unless nobody did: then all of it is split evenly. */
function dealMemory(options: readonly NodeOption[], context: NumaContext): readonly number[] {
  const total = context.memory?.memorySize;
  if (options.every(({ memorySize }) => memorySize === undefined)) {
    const all = total ?? DEFAULT_MEMORY;
    const share = alignDown(all / options.length, SPLIT_ALIGNMENT);
    const last = options.length - 1;
    return options.map((_, node) => (node < last ? share : all - last * share));
  }
  const sizes = options.map(({ memorySize = 0 }) => memorySize);
  const sum = sizes.reduce((all, it) => all + it, 0);
  if (total !== undefined && total !== sum) {
    refuse(`the nodes have ${formatSize(sum)} of memory, --memory says ${formatSize(total)}`);
  }
  if (sum < MIN_MEMORY) {
    const least = formatSize(MIN_MEMORY);
    refuse(`the nodes have ${formatSize(sum)} of memory; a guest needs at least ${least}`);
  }
  return sizes;
}

/** Parses one `dist`. @param distances  what was said so far, by `from,to`; this one is added */
function parseDistance(text: string, nodes: number, distances: Map<string, number>): void {
  const keys = new KeyValues(`${OPTION} dist`, text);
  const required = (key: string, limit: number): number => {
    const value = keys.count(key);
    if (value === undefined) {
      throw new ConfigError('BAD_OPTION', `${OPTION} dist,${text}: ${key} is missing`);
    }
    if (value >= limit) keys.refuse(key, `the nodes are 0 to ${limit - 1}`);
    return value;
  };
  const from = required('src', nodes);
  const to = required('dst', nodes);
  const value = required('val', Number.POSITIVE_INFINITY);
  keys.done();
  if (from === to && value !== LOCAL_DISTANCE) {
    keys.refuse('val', `the distance of a node to itself is ${LOCAL_DISTANCE}`);
  }
  if (from !== to && (value <= LOCAL_DISTANCE || value > MAX_DISTANCE)) {
    const range = `${LOCAL_DISTANCE + 1} to ${MAX_DISTANCE}`;
    keys.refuse('val', `between two nodes must be from ${range}; ${LOCAL_DISTANCE} is within one`);
  }
  if (distances.has(`${from},${to}`)) keys.refuse('dst', `given twice for src=${from}`);
  distances.set(`${from},${to}`, value);
}

/** What was said of one direction holds for the other, unless that was said otherwise. */
function fillDistances(
  nodes: number,
  said: ReadonlyMap<string, number>,
): readonly (readonly number[])[] {
  const numbers = Array.from({ length: nodes }, (_, node) => node);
  const distance = (from: number, to: number): number =>
    from === to
      ? LOCAL_DISTANCE
      : (said.get(`${from},${to}`) ?? said.get(`${to},${from}`) ?? REMOTE_DISTANCE);
  return numbers.map((from) => numbers.map((to) => distance(from, to)));
}

/**
 * Parses all `--numa` options: `node,…` for each node, counted from 0 in the order they come, and
 * `dist,…`. Every CPU is in exactly one node.
 *
 * @throws ConfigError naming the key and the value
 */
export function parseNumaOptions(texts: readonly string[], context: NumaContext): NumaConfig {
  const parts = texts.map(splitType);
  const nodeTexts = parts.filter(({ type }) => type === 'node');
  const count = nodeTexts.length;
  if (count === 0) refuse('there is no node; give node,… once for each');
  if (count > MAX_NODES) refuse(`${count} nodes; there can be ${MAX_NODES}`);
  const taken = new Map<number, number>();
  const options = nodeTexts.map(({ rest }, node) => parseNode(rest, node, context, taken));
  if (context.memory?.memdev !== undefined && options.some((it) => it.memdev !== undefined)) {
    refuse('memdev: --memory has one as well; give it there or here');
  }
  const said = new Map<string, number>();
  for (const { type, rest } of parts) {
    if (type === 'dist') parseDistance(rest ?? '', count, said);
  }
  const cpus = dealCpus(options, context.cpus, taken);
  const memory = dealMemory(options, context);
  const nodes = options.map(({ memdev }, node) => {
    return { cpus: cpus[node] ?? [], memorySize: memory[node] ?? 0, memdev };
  });
  return { nodes, distances: fillDistances(count, said) };
}
