const BYTE = {
  tab: 0x09,
  newline: 0x0a,
  carriageReturn: 0x0d,
  space: 0x20,
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
  /** In no UTF-8 text: clients send it to abandon what they have begun. */
  reset: 0xff,
} as const;

const BEGIN_BYTES = 256;

/** The text of the next value, or what is wrong with it; past `fatal` nothing can be read. */
export type NextValue =
  | { readonly text: string }
  | { readonly problem: string; readonly fatal: boolean };

export interface ValueLimits {
  /** Bytes of one value. */
  readonly bytes: number;
  /** Arrays and objects inside each other. */
  readonly depth: number;
}

function isSpace(byte: number): boolean {
  return (
    byte === BYTE.space ||
    byte === BYTE.newline ||
    byte === BYTE.carriageReturn ||
    byte === BYTE.tab
  );
}

/** What ends a bare word, as a number or `true`, without being part of it. */
function isDelimiter(byte: number): boolean {
  return isSpace(byte) || (byte !== BYTE.backslash && isStructural(byte));
}

function isStructural(byte: number): boolean {
  return (
    byte === BYTE.quote ||
    byte === BYTE.comma ||
    byte === BYTE.colon ||
    isOpening(byte) ||
    isClosing(byte)
  );
}

function isOpening(byte: number): boolean {
  return byte === BYTE.openBrace || byte === BYTE.openBracket;
}

function isClosing(byte: number): boolean {
  return byte === BYTE.closeBrace || byte === BYTE.closeBracket;
}

type Where = 'between' | 'container' | 'string' | 'escape' | 'word';

/**
 * Cuts a stream of bytes into the texts of JSON values: a value may span lines, and several may
 * share one. It only counts brackets and strings; whether a text is JSON, its parser tells. A string
 * with a raw control character ends there, so that a quotation left open swallows one line at most.
 */
export class ValueSplitter {
  readonly #limits: ValueLimits;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #chunk: Uint8Array = new Uint8Array(0);
  /** The beginning of a value whose end has not come, in the first `#length` bytes. */
  #begun = new Uint8Array(BEGIN_BYTES);
  #length = 0;
  #where: Where = 'between';
  #depth = 0;

  constructor(limits: ValueLimits) {
    this.#limits = limits;
  }

  /** Adds bytes; every value of the bytes before must have been taken. */
  push(bytes: Uint8Array): void {
    this.#chunk = bytes;
  }

  /** @returns undefined when the next value's end has not come */
  next(): NextValue | undefined {
    if (this.#where === 'between') this.#skipSpace();
    return this.#chunk.length === 0 ? undefined : this.#value();
  }

  #skipSpace(): void {
    const first = this.#chunk.findIndex((byte) => !isSpace(byte));
    this.#chunk = this.#chunk.subarray(first === -1 ? this.#chunk.length : first);
  }

  /** What is left when input has ended: a word, or a value cut off. */
  last(): NextValue | undefined {
    return this.#length === 0 ? undefined : this.#take();
  }

  /** Goes on with the value that the chunk begins with, or continues. */
  #value(): NextValue | undefined {
    const chunk = this.#chunk;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      const wordEnds = this.#where === 'word' && isDelimiter(byte);
      if (!wordEnds && !this.#step(byte)) continue;
      if (this.#depth > this.#limits.depth) {
        return { problem: `nested deeper than ${this.#limits.depth}`, fatal: true };
      }
      const end = wordEnds ? at : at + 1;
      if (!this.#keep(chunk.subarray(0, end))) return this.#tooLong();
      this.#chunk = chunk.subarray(end);
      return this.#take();
    }
    this.#chunk = chunk.subarray(chunk.length);
    return this.#keep(chunk) ? undefined : this.#tooLong();
  }

  /** Takes one byte. @returns whether the value ends with it, or can only be wrong */
  #step(byte: number): boolean {
    if (byte === BYTE.reset) return true;
    switch (this.#where) {
      case 'string':
        if (byte < BYTE.space) return true;
        if (byte === BYTE.backslash) this.#where = 'escape';
        if (byte === BYTE.quote) return this.#leave();
        return false;
      case 'escape':
        this.#where = 'string';
        return byte < BYTE.space;
      case 'word':
        return false;
      case 'between':
      case 'container':
        return this.#enter(byte);
    }
  }

  #enter(byte: number): boolean {
    if (isClosing(byte)) {
      this.#depth -= 1;
      return this.#depth <= 0;
    }
    if (byte === BYTE.quote) {
      this.#where = 'string';
    } else if (isOpening(byte)) {
      this.#depth += 1;
      this.#where = 'container';
      return this.#depth > this.#limits.depth;
    } else if (this.#where === 'between') {
      if (isStructural(byte)) return true;
      this.#where = 'word';
    }
    return false;
  }

  /** A string has ended. @returns whether it was the whole value */
  #leave(): boolean {
    this.#where = 'container';
    return this.#depth === 0;
  }

  /** @returns false when the value is longer than it may be */
  #keep(bytes: Uint8Array): boolean {
    const length = this.#length + bytes.length;
    if (length > this.#limits.bytes) return false;
    if (length > this.#begun.length) {
      const size = Math.min(this.#limits.bytes, Math.max(length, 2 * this.#begun.length));
      const grown = new Uint8Array(size);
      grown.set(this.#begun.subarray(0, this.#length));
      this.#begun = grown;
    }
    this.#begun.set(bytes, this.#length);
    this.#length = length;
    return true;
  }

  #tooLong(): NextValue {
    return { problem: `longer than ${this.#limits.bytes} bytes`, fatal: true };
  }

  #take(): NextValue {
    const bytes = this.#begun.subarray(0, this.#length);
    this.#length = 0;
    this.#where = 'between';
    this.#depth = 0;
    // A value that was long is rare: its memory is given back.
    if (this.#begun.length > 16 * BEGIN_BYTES) this.#begun = new Uint8Array(BEGIN_BYTES);
    try {
      return { text: this.#decoder.decode(bytes) };
    } catch {
      return { problem: 'not UTF-8', fatal: false };
    }
  }
}
