const CTRL_A = 0x01;

/** What the keys after Ctrl-A ask for. */
export type Escape = 'switch' | 'quit' | 'help';

const ESCAPES: Readonly<Record<string, Escape>> = { c: 'switch', x: 'quit', h: 'help' };

/** What Ctrl-A H prints, a line each. */
export const ESCAPE_HELP = [
  'Ctrl-A C       switch between the serial console and the monitor',
  'Ctrl-A X       end the machine',
  'Ctrl-A H       this help',
  'Ctrl-A Ctrl-A  send Ctrl-A',
] as const;

export interface EscapeHandler {
  /** Plain input, without escapes. */
  input(bytes: Uint8Array): void;
  escape(escape: Escape): void;
}

/** Finds the Ctrl-A keys in what is typed. Ctrl-A and its key may come in different chunks. */
export class EscapeKeys {
  readonly #handler: EscapeHandler;
  #pending = false;

  constructor(handler: EscapeHandler) {
    this.#handler = handler;
  }

  feed(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#pending) {
        this.#pending = false;
        this.#handleKey(rest);
        rest = rest.subarray(1);
        continue;
      }
      const at = rest.indexOf(CTRL_A);
      const plain = at === -1 ? rest : rest.subarray(0, at);
      if (plain.length > 0) this.#handler.input(plain);
      if (at === -1) return;
      this.#pending = true;
      rest = rest.subarray(at + 1);
    }
  }

  /** The key after Ctrl-A; one that means nothing is swallowed together with it. */
  #handleKey(rest: Uint8Array): void {
    const key = rest[0] ?? 0;
    if (key === CTRL_A) {
      this.#handler.input(rest.subarray(0, 1));
      return;
    }
    const escape = ESCAPES[String.fromCharCode(key).toLowerCase()];
    if (escape !== undefined) this.#handler.escape(escape);
  }
}
