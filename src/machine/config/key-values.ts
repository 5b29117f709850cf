import { ConfigError } from '../../errors.ts';
import { parseSize } from '../../units.ts';

/**
 * An option of the form `key=value,key=value`. Each value is taken by name; what nobody took is
 * unknown. Every refusal names the option, the key and the value.
 */
export class KeyValues {
  readonly #option: string;
  readonly #values = new Map<string, string>();
  readonly #known = new Set<string>();

  /**
   * @param option   what it was given to, as `--virtio-mem`
   * @param text     what the user wrote
   * @param repeats  keys that may come again: their values are joined by commas
   * @throws ConfigError for an empty or repeated key, or a key without a value
   */
  constructor(option: string, text: string, repeats: readonly string[] = []) {
    this.#option = option;
    if (text === '') throw this.#error('', 'empty; write key=value,…');
    for (const part of text.split(',')) {
      const equals = part.indexOf('=');
      const key = equals < 0 ? part : part.slice(0, equals);
      if (key === '') throw this.#error(part, 'a key is missing; write key=value,…');
      if (equals < 0) throw this.#error(part, 'no value; write key=value');
      if (equals === part.length - 1) throw this.#error(part, 'the value is empty');
      const before = this.#values.get(key);
      if (before !== undefined && !repeats.includes(key)) {
        throw this.#error(part, `${key} is given twice`);
      }
      const value = part.slice(equals + 1);
      this.#values.set(key, before === undefined ? value : `${before},${value}`);
    }
  }

  string(key: string): string | undefined {
    this.#known.add(key);
    return this.#values.get(key);
  }

  /** Bytes. */
  size(key: string): number | undefined {
    const text = this.string(key);
    return text === undefined ? undefined : parseSize(text, `${this.#option} ${key}`);
  }

  flag(key: string): boolean | undefined {
    const text = this.choice(key, ['on', 'off']);
    return text === undefined ? undefined : text === 'on';
  }

  choice<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const text = this.string(key);
    if (text === undefined) return undefined;
    const found = allowed.find((it) => it === text);
    if (found === undefined) {
      throw this.#error(
        `${key}=${text}`,
        `must be ${allowed.join(', ').replace(/, ([^,]*)$/, ' or $1')}`,
      );
    }
    return found;
  }

  /** A whole number that is not negative. */
  count(key: string): number | undefined {
    const text = this.string(key);
    if (text === undefined) return undefined;
    if (!/^\d{1,9}$/.test(text)) throw this.#error(`${key}=${text}`, 'not a whole number');
    return Number(text);
  }

  /** Numbers as `0-2`, in order. @param limit  exclusive */
  numbers(key: string, limit: number): readonly number[] | undefined {
    const text = this.string(key);
    if (text === undefined) return undefined;
    const numbers = new Set<number>();
    for (const part of text.split(',')) {
      const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
      const first = Number(match?.[1]);
      const last = Number(match?.[2] ?? match?.[1]);
      if (match === null || last < first || last >= limit) {
        const why = `must be a number or a range as 0-3, below ${limit}`;
        throw this.#error(`${key}=${part}`, why);
      }
      for (let number = first; number <= last; number++) numbers.add(number);
    }
    return [...numbers].sort((a, b) => a - b);
  }

  /** A refusal of one key's value, in this class's words. */
  refuse(key: string, why: string): never {
    throw this.#error(`${key}=${this.#values.get(key) ?? ''}`, why);
  }

  /** @throws ConfigError naming the first key that nothing asked for */
  done(): void {
    for (const [key, value] of this.#values) {
      if (this.#known.has(key)) continue;
      const known = [...this.#known].sort().join(', ');
      throw this.#error(`${key}=${value}`, `unknown key ${key}; the keys are ${known}`);
    }
  }

  #error(what: string, why: string): ConfigError {
    return new ConfigError('BAD_OPTION', `${this.#option} ${what}: ${why}`);
  }
}
