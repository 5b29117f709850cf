/** Commands of telnet (RFC 854), as far as their length depends on them. */
const IAC = 0xff;
const SB = 0xfa;
const SE = 0xf0;
/** WILL, WONT, DO and DONT: the option follows. */
const FIRST_WITH_OPTION = 0xfb;
const LAST_WITH_OPTION = 0xfe;

const NUL = 0x00;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

type State = 'text' | 'command' | 'option' | 'subnegotiation' | 'subnegotiation-command';

function stateAfter(state: State, byte: number): State {
  switch (state) {
    case 'command':
      if (byte === SB) return 'subnegotiation';
      return byte >= FIRST_WITH_OPTION && byte <= LAST_WITH_OPTION ? 'option' : 'text';
    case 'subnegotiation':
      return byte === IAC ? 'subnegotiation-command' : 'subnegotiation';
    case 'subnegotiation-command':
      return byte === SE ? 'text' : 'subnegotiation';
    default:
      return 'text';
  }
}

/**
 * What comes from a client that may be telnet, or behave as a terminal's Return key, as expect does: telnet's
 * commands are taken out, and each of CR LF, CR NUL and a lone CR ends a line (RFC 854, RFC 1123 §3.3.1). Nothing is negotiated: unanswered, both sides keep to
 * plain text. Other clients lose nothing, since no text of UTF-8 has a byte of 0xff.
 */
export class TelnetInput {
  #state: State = 'text';
  readonly #mayBeTelnet: boolean;
  /** Whether a carriage return came last: the line has ended, and an LF or NUL behind it belongs to that. */
  #hasReturned = false;

  /** @param mayBeTelnet  whether a byte of 0xff begins a command */
  constructor(mayBeTelnet = true) {
    this.#mayBeTelnet = mayBeTelnet;
  }

  /** @returns the text among the bytes, its lines ending in newlines; may be the same bytes */
  filter(bytes: Uint8Array): Uint8Array {
    const isPlain = this.#state === 'text' && !this.#hasReturned;
    if (isPlain && !bytes.includes(IAC) && !bytes.includes(CARRIAGE_RETURN)) return bytes;
    const text = new Uint8Array(bytes.length);
    let length = 0;
    for (const byte of bytes) {
      const found = this.#textOf(byte);
      if (found !== undefined) text[length++] = found;
    }
    return text.subarray(0, length);
  }

  #textOf(byte: number): number | undefined {
    if (this.#state !== 'text') {
      this.#state = stateAfter(this.#state, byte);
      return undefined;
    }
    if (byte === IAC && this.#mayBeTelnet) {
      this.#state = 'command';
      return undefined;
    }
    const isSecond = this.#hasReturned && (byte === NEWLINE || byte === NUL);
    this.#hasReturned = byte === CARRIAGE_RETURN;
    if (isSecond) return undefined;
    return byte === CARRIAGE_RETURN ? NEWLINE : byte;
  }
}
