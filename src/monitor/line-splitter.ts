const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The next line of input: its text, or that it was too long and has been skipped. */
export type NextLine = { readonly text: string } | 'too-long';

/**
 * Cuts bytes into lines, one at a time. A line over the limit is never held: its bytes are dropped
 * as they come, up to its newline. Bytes that are not UTF-8 become replacement characters.
 */
export class LineSplitter {
  readonly #limit: number;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** What came last and is not yet consumed. */
  #chunk: Uint8Array = new Uint8Array(0);
  /** The beginning of a line whose newline has not come, in the first `#length` bytes. */
  #line = new Uint8Array(256);
  #length = 0;
  #skipping = false;

  /** @param limit bytes of a line, without its newline */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds bytes; every line of the bytes before must have been taken. */
  push(bytes: Uint8Array): void {
    this.#chunk = bytes;
  }

  /** @returns undefined when the next line's newline has not come */
  next(): NextLine | undefined {
    const at = this.#chunk.indexOf(NEWLINE);
    if (at === -1) {
      this.#keep(this.#chunk);
      this.#chunk = new Uint8Array(0);
      return undefined;
    }
    this.#keep(this.#chunk.subarray(0, at));
    this.#chunk = this.#chunk.subarray(at + 1);
    return this.#take();
  }

  /** What is left when input has ended without a newline. */
  last(): NextLine | undefined {
    return this.#length === 0 && !this.#skipping ? undefined : this.#take();
  }

  #keep(bytes: Uint8Array): void {
    if (this.#skipping) return;
    const length = this.#length + bytes.length;
    if (length > this.#limit) {
      this.#skipping = true;
      return;
    }
    if (length > this.#line.length) {
      const grown = new Uint8Array(Math.min(this.#limit, Math.max(length, 2 * this.#line.length)));
      grown.set(this.#line.subarray(0, this.#length));
      this.#line = grown;
    }
    this.#line.set(bytes, this.#length);
    this.#length = length;
  }

  #take(): NextLine {
    const tooLong = this.#skipping;
    const hasReturn = this.#length > 0 && this.#line[this.#length - 1] === CARRIAGE_RETURN;
    const line = this.#line.subarray(0, hasReturn ? this.#length - 1 : this.#length);
    this.#length = 0;
    this.#skipping = false;
    return tooLong ? 'too-long' : { text: this.#decoder.decode(line) };
  }
}
