import type { JsonObject, JsonValue } from './value.ts';

/** Text that is not one JSON value; the message says what is wrong with it. */
export class JsonError extends Error {}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /[A-Za-z_][\w-]*/y;
const KEYWORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);
const LONE_SURROGATE = /\p{Cs}/u;
/** Digits that a double holds exactly, whatever they are. */
const EXACT_DIGITS = 15;

/**
 * A recursive-descent parser: unlike JSON.parse it keeps large integers exact and refuses an object
 * that names a member twice. Depth is bounded by who cuts the input into values.
 */
class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): JsonValue {
    const value = this.#value();
    this.#match(SPACE);
    if (this.#at < this.#text.length) throw new JsonError('unexpected text behind the value');
    return value;
  }

  /** @returns undefined when the pattern does not match here; otherwise moves behind it */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at = pattern.lastIndex;
    return found;
  }

  /** The next character that is not space, without taking it. */
  #peek(): string {
    this.#match(SPACE);
    return this.#text.charAt(this.#at);
  }

  #value(): JsonValue {
    const next = this.#peek();
    if (next === '{') return this.#object();
    if (next === '[') return this.#array();
    if (next === '"') return this.#string();
    if (next === '-' || (next >= '0' && next <= '9')) return this.#number();
    return this.#keyword();
  }

  #keyword(): JsonValue {
    const word = this.#match(WORD);
    if (word === undefined) throw new JsonError('expecting value');
    const value = KEYWORDS.get(word);
    if (value === undefined) throw new JsonError(`invalid keyword '${word.slice(0, 40)}'`);
    return value;
  }

  #number(): JsonValue {
    const text = this.#match(NUMBER);
    if (text === undefined) throw new JsonError('invalid number');
    if (text.length > EXACT_DIGITS && /^-?\d+$/.test(text)) {
      const exact = BigInt(text);
      return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
    }
    const value = Number(text);
    if (!Number.isFinite(value)) throw new JsonError('number out of range');
    return value;
  }

  #string(): string {
    const text = this.#match(STRING);
    if (text === undefined) throw new JsonError('invalid string');
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'string' || LONE_SURROGATE.test(value)) {
      throw new JsonError('half of a surrogate pair in a string');
    }
    return value;
  }

  /** After a member or element: whether another one follows. */
  #more(end: string, where: string): boolean {
    const next = this.#peek();
    this.#at += 1;
    if (next === end) return false;
    if (next === ',') return true;
    throw new JsonError(`expected separator in ${where}`);
  }

  #array(): JsonValue {
    const array: JsonValue[] = [];
    this.#at += 1;
    if (this.#peek() === ']') {
      this.#at += 1;
      return array;
    }
    do array.push(this.#value());
    while (this.#more(']', 'list'));
    return array;
  }

  #object(): JsonObject {
    const object: Record<string, JsonValue> = { __proto__: null };
    this.#at += 1;
    if (this.#peek() === '}') {
      this.#at += 1;
      return object;
    }
    do {
      if (this.#peek() !== '"') throw new JsonError('expecting the name of a member');
      const name = this.#string();
      if (Object.hasOwn(object, name)) throw new JsonError('duplicate key');
      if (this.#peek() !== ':') throw new JsonError('missing : in object pair');
      this.#at += 1;
      object[name] = this.#value();
    } while (this.#more('}', 'dict'));
    return object;
  }
}

/** Parses one JSON value (RFC 8259). @throws JsonError for anything else */
export function parseJson(text: string): JsonValue {
  return new Parser(text).whole();
}
