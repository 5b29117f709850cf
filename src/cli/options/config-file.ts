import { closeSync, openSync, readSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { ConfigError, messageOf, whyNotOpened } from '../../errors.ts';
import { ConfigReader, type FileValue, type Place } from './config-reader.ts';
import { entryText, idOf, overrideEntry, parseEntry, type Entry } from './entry.ts';
import { attributeOf, RUN_OPTIONS } from './table.ts';
import type { RunOption } from './value.ts';

/** A file larger than this is none that somebody wrote. Bytes. */
const FILE_LIMIT = 1024 * 1024;
/** How a refusal begins: the option, the type where it has one, the key, the value. */
const REFUSAL =
  /^--([a-z-]+)(?:[ =](?:(?:ram|memfd|file|devmem|node|dist) )?(?:([a-z-]+)=)?([^:]*))?:/;
/** How a refusal of a memory device begins: its id, and the property. */
const DEVICE_REFUSAL = /^(?:--virtio-mem id=)?([A-Za-z][\w.-]*): ([a-z-]+)=/;

type Overrides = Record<string, string | readonly string[] | boolean>;

function refusal(file: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError('BAD_CONFIG_FILE', `--config ${file}: ${why}`, { cause });
}

/** At most so many bytes: what is named may be a pipe, or a device that never ends. */
function readUpTo(file: string, limit: number): Buffer {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(limit);
    let length = 0;
    for (let count = -1; count !== 0 && length < limit; length += count) {
      count = readSync(fd, buffer, length, limit - length, null);
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readUpTo(file, FILE_LIMIT + 1);
  } catch (error) {
    throw refusal(file, whyNotOpened(error), error);
  }
  if (bytes.length > FILE_LIMIT) throw refusal(file, `more than ${FILE_LIMIT} bytes`);
  return bytes.toString('utf8');
}

/** YAML would take much that JSON does not. */
function checkJson(file: string, text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw refusal(file, messageOf(error), error);
  }
}

/** A machine's options in a file: YAML, or JSON where its name ends in `.json`. */
export class ConfigFile {
  readonly #file: string;
  readonly #values: ReadonlyMap<string, FileValue>;
  /** Of what holds; what a flag has taken the place of is not here any more. */
  #places: readonly Place[];
  /** Keys that flags have changed: option, index, key. */
  readonly #flags = new Set<string>();

  /** @throws ConfigError in one line, with the line of the file where it has one */
  constructor(file: string) {
    this.#file = file;
    const text = readText(file);
    if (file.endsWith('.json')) checkJson(file, text);
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) {
      const { line } = lines.linePos(fault.pos[0]);
      // The parser is recursive: that is all which it can run out of.
      const why = fault.code === 'RESOURCE_EXHAUSTION' ? 'nested too deeply' : messageOf(fault);
      throw new ConfigError('BAD_CONFIG_FILE', `${file}:${line}: ${why}`);
    }
    const reader = new ConfigReader(file, document, lines);
    this.#values = reader.topLevel(RUN_OPTIONS);
    this.#places = reader.places;
  }

  /**
   * The options of file and command line together; the latter win.
   *
   * @param options  those of the command line, with defaults
   * @param isGiven  whether one was on the command line, by its name in `options`
   */
  merge<T extends object>(options: T, isGiven: (attribute: string) => boolean): T {
    const overrides: Overrides = {};
    const all = new Map<string, unknown>(Object.entries(options));
    for (const option of RUN_OPTIONS) {
      const value = this.#values.get(option.name);
      const attribute = attributeOf(option);
      if (value === undefined) continue;
      const given = isGiven(attribute) ? all.get(attribute) : undefined;
      if (given === undefined) overrides[attribute] = ownValue(option, value);
      else if (option.byId !== undefined && Array.isArray(given)) {
        overrides[attribute] = this.#mergeById(option, value, given.map(String));
      } else this.#places = this.#places.filter((place) => place.option !== option.name);
    }
    return { ...options, ...overrides };
  }

  /** A flag changes the one whose id it has, or adds one. */
  #mergeById(option: RunOption, value: FileValue, given: readonly string[]): readonly string[] {
    const entries = value.kind === 'entries' ? [...value.entries] : [];
    const added: string[] = [];
    for (const text of given) {
      const flag = parseEntry(text, option.types !== undefined);
      const id = flag === undefined ? undefined : idOf(flag);
      const index = id === undefined ? -1 : idsOf(option, entries).indexOf(id);
      const entry = entries[index];
      if (entry === undefined || flag === undefined) {
        added.push(text);
        continue;
      }
      entries[index] = overrideEntry(entry, flag);
      for (const [key] of flag.pairs) this.#flags.add(`${option.name} ${index} ${key}`);
      this.#places = this.#places.filter(
        (it) => !this.#flags.has(`${it.option} ${it.index ?? ''} ${it.key ?? ''}`),
      );
    }
    return [...entries.map(entryText), ...added];
  }

  /** An error about what the file says, with the file and the line. */
  explain(error: unknown): unknown {
    if (!(error instanceof ConfigError) || error.code === 'BAD_CONFIG_FILE') return error;
    const { code, message } = error;
    const place =
      this.#placeOfDevice(message) ??
      this.#placeOfOption(message) ??
      this.#places.find(({ isPath, text }) => isPath && message.includes(text));
    if (place === undefined) return error;
    return new ConfigError(code, `${this.#file}:${place.line}: ${message}`, { cause: error });
  }

  #placeOfOption(message: string): Place | undefined {
    const [, option, key, value] = REFUSAL.exec(message) ?? [];
    const about = this.#places.filter((place) => place.option === option);
    const exact = about.find((it) => it.key === key && it.text === value);
    return exact ?? (key === undefined ? about[0] : undefined);
  }

  #placeOfDevice(message: string): Place | undefined {
    const [, id, key] = DEVICE_REFUSAL.exec(message) ?? [];
    for (const option of RUN_OPTIONS) {
      const value = this.#values.get(option.name);
      if (option.byId?.prefix === undefined || value?.kind !== 'entries') continue;
      const index = idsOf(option, value.entries).findIndex((it) => it === id);
      const about = this.#places.filter((it) => it.option === option.name && it.index === index);
      const place = about.find((it) => it.key === key);
      // What nobody has said follows from what the file says.
      const isSaid = this.#flags.has(`${option.name} ${index} ${key ?? ''}`);
      if (place !== undefined || !isSaid) return place ?? about[0];
    }
    return undefined;
  }
}

function ownValue({ repeats, argument }: RunOption, value: FileValue): Overrides[string] {
  const texts = value.kind === 'texts' ? value.texts : value.entries.map(entryText);
  if (repeats === true) return texts;
  // The only switch there is says what not to do: what commander has is the contrary.
  return argument === undefined ? texts[0] !== 'on' : (texts[0] ?? '');
}

function idsOf({ byId }: RunOption, entries: readonly Entry[]): readonly string[] {
  return entries.map((entry, index) => idOf(entry) ?? `${byId?.prefix ?? ''}${index}`);
}
