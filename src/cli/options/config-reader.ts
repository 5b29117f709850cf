import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node } from 'yaml';
import { ConfigError } from '../../errors.ts';
import { BadValue, commandLineText } from './config-value.ts';
import type { Entry } from './entry.ts';
import type { Keys, RunOption, Scalar } from './value.ts';

/** Where a value stands in the file. */
export interface Place {
  /** Without dashes. */
  readonly option: string;
  /** Which of them, where there can be several. */
  readonly index: number | undefined;
  readonly key: string | undefined;
  /** As on the command line. */
  readonly text: string;
  readonly line: number;
  readonly isPath: boolean;
}

/** What a file says of an option. */
export type FileValue =
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  | { readonly kind: 'entries'; readonly entries: readonly Entry[] };

/** Characters of a value that a message repeats. */
const SHOWN_LENGTH = 60;

/** What a message calls a value: `virtio-mem[1] size`. */
interface Subject {
  readonly option: RunOption;
  readonly index: number | undefined;
  readonly key?: string;
}

/** A named value, and the line that its name is on. */
interface Field {
  readonly name: string;
  readonly node: Node;
  readonly line: number;
}

function show(value: unknown): string {
  // JSON has no infinity.
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? 'nothing' : text.slice(0, SHOWN_LENGTH);
}

function nameOf({ option, index, key }: Subject): string {
  const name = index === undefined ? option.name : `${option.name}[${index}]`;
  return key === undefined ? name : `${name} ${key}`;
}

/** Goes through a parsed file, and gives its values as a user would write them on the command line. */
export class ConfigReader {
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly places: Place[] = [];

  constructor(file: string, document: Document, lines: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  /** The options of the file. @throws ConfigError naming file, line, option and what it has */
  topLevel(options: readonly RunOption[]): ReadonlyMap<string, FileValue> {
    const values = new Map<string, FileValue>();
    const { contents } = this.#document;
    if (!isMap(contents)) this.#refuse(1, 'must have options by name, as kernel: vmlinuz');
    for (const { name, node, line } of this.#fields(contents)) {
      // Editors look there for the schema.
      if (name === '$schema') continue;
      const option = options.find((each) => each.name === name);
      if (option === undefined) {
        const known = options.map((each) => each.name).join(', ');
        return this.#refuse(line, `unknown option ${show(name)}; the options are ${known}`);
      }
      values.set(name, this.#option(option, node, line));
    }
    return values;
  }

  #option(option: RunOption, node: Node, line: number): FileValue {
    if (option.repeats !== true) return this.#single({ option, index: undefined }, node, line);
    if (!isSeq(node)) this.#refuse(line, `${option.name}=${this.#show(node)}: must be a list`);
    const texts: string[] = [];
    const entries: Entry[] = [];
    for (const [index, item] of node.items.entries()) {
      const value = this.#single({ option, index }, this.#resolve(item), line);
      if (value.kind === 'texts') texts.push(...value.texts);
      else entries.push(...value.entries);
    }
    return option.scalar === undefined ? { kind: 'entries', entries } : { kind: 'texts', texts };
  }

  #single(subject: Subject, node: Node, nameLine: number): FileValue {
    const { option } = subject;
    const line = this.#lineOf(node, nameLine);
    if (isMap(node) && (option.keys ?? option.types) !== undefined) {
      const entry = this.#entry(subject, node, line);
      return { kind: 'entries', entries: [entry] };
    }
    if (option.scalar === undefined) {
      const keys = option.types === undefined ? 'size: 8G' : 'type: ' + firstOf(option.types);
      const why = `must have keys by name, as ${keys}`;
      return this.#refuse(line, `${nameOf(subject)}=${this.#show(node)}: ${why}`);
    }
    return { kind: 'texts', texts: this.#texts(subject, node, option.scalar, line) };
  }

  #entry(subject: Subject, node: Node, line: number): Entry {
    const { option } = subject;
    const fields = this.#fields(node);
    const known = option.keys ?? this.#keysOfType(subject, fields, line);
    const pairs = fields
      .filter(({ name }) => option.types === undefined || name !== 'type')
      .flatMap((field) => this.#pairs({ ...subject, key: field.name }, field, known));
    const type = fields.find(({ name }) => name === 'type');
    if (option.types === undefined || type === undefined) return { pairs };
    return { type: String(this.#valueOf(type.node)), pairs };
  }

  #keysOfType(subject: Subject, fields: readonly Field[], line: number): Keys {
    const types = subject.option.types ?? {};
    const field = fields.find(({ name }) => name === 'type');
    const type = field === undefined ? undefined : this.#valueOf(field.node);
    if (typeof type === 'string' && Object.hasOwn(types, type)) return types[type]?.keys ?? {};
    const why = `must be ${Object.keys(types).join(', ')}`;
    return this.#refuse(field?.line ?? line, `${nameOf(subject)} type=${show(type)}: ${why}`);
  }

  #pairs(subject: Subject, { name, node, line }: Field, known: Keys): [string, string][] {
    const key = Object.hasOwn(known, name) ? known[name] : undefined;
    if (key === undefined) {
      const keys = Object.keys(known).join(', ');
      const what = `${nameOf(subject)}=${this.#show(node)}`;
      return this.#refuse(line, `${what}: unknown key ${show(name)}; the keys are ${keys}`);
    }
    const texts = this.#texts(subject, node, key.value, this.#lineOf(node, line));
    const bad = texts.find((text) => text === '' || text.includes(','));
    if (bad !== undefined) {
      const why = bad === '' ? 'the value is empty' : 'a value cannot contain a comma';
      this.#refuse(line, `${nameOf(subject)}=${show(bad)}: ${why}`);
    }
    return texts.map((text) => [name, text]);
  }

  #texts(subject: Subject, node: Node, scalar: Scalar, line: number): readonly string[] {
    try {
      const texts = commandLineText(this.#valueOf(node), scalar, this.#file);
      const isPath = scalar === 'path' || scalar === 'where';
      for (const text of texts) {
        const { option, index, key } = subject;
        this.places.push({ option: option.name, index, key, text, line, isPath });
      }
      return texts;
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      return this.#refuse(line, `${nameOf(subject)}=${this.#show(node)}: ${error.message}`);
    }
  }

  #fields(map: Node): readonly Field[] {
    if (!isMap(map)) return [];
    return map.items.map(({ key, value }) => {
      const line = isScalar(key) ? this.#lineOf(key, 1) : 1;
      const name: unknown = isScalar(key) ? key.value : undefined;
      if (typeof name !== 'string') return this.#refuse(line, `${show(name)}: names must be text`);
      return { name, node: this.#resolve(value), line };
    });
  }

  /** What an alias stands for. */
  #resolve(node: unknown): Node {
    const found = isAlias(node) ? node.resolve(this.#document) : node;
    if (isScalar(found) || isMap(found) || isSeq(found)) return found;
    return this.#document.createNode(null);
  }

  /** A value that an option may have, or something that none may. */
  #valueOf(node: Node): unknown {
    if (isScalar(node)) return node.value;
    if (!isSeq(node)) return {};
    return node.items.map((item) => {
      const found = this.#resolve(item);
      return isScalar(found) ? found.value : {};
    });
  }

  #show(node: Node): string {
    return show(this.#valueOf(node));
  }

  #lineOf({ range }: Node, otherwise: number): number {
    return range ? this.#lines.linePos(range[0]).line : otherwise;
  }

  #refuse(line: number, why: string): never {
    throw new ConfigError('BAD_CONFIG_FILE', `${this.#file}:${line}: ${why}`);
  }
}

function firstOf(types: Readonly<Record<string, unknown>>): string {
  return Object.keys(types)[0] ?? '';
}
