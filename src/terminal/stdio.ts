import type { Readable, Writable } from 'node:stream';
import { ByteSink } from './byte-sink.ts';
import type { Endpoint } from './endpoint.ts';
import { ESCAPE_HELP, EscapeKeys, type Escape } from './escape-keys.ts';
import { InputGate } from './input-gate.ts';
import type { SerialBackend } from './serial-backend.ts';

/** A terminal in raw mode: keys come one by one, and Ctrl-C is a key. */
export interface RawTerminal {
  /** Puts the terminal back as it was found; idempotent. */
  restore(): void;
}

export interface StdioOptions {
  /** Whether the guest's serial port is here. */
  readonly serial: boolean;
  /** Whether a monitor is here. */
  readonly monitor: boolean;
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** Puts the terminal of `input` into raw mode; called only when it is one. */
  readonly rawTerminal: () => RawTerminal;
  /** Ctrl-A X was typed. */
  readonly onQuit: () => void;
}

type Side = 'serial' | 'monitor';

/**
 * Standard input and output, for the guest's serial port, a monitor, or both. Both always show
 * what they have to say; what is typed goes to one of them, at first to the serial port.
 *
 * With a serial port on a terminal, or with both on anything, Ctrl-A starts an escape (`Ctrl-A H`
 * lists them). A serial port alone on a pipe or file is transparent to every byte.
 */
export class Stdio {
  readonly #options: StdioOptions;
  readonly #sink: ByteSink;
  #raw: RawTerminal | undefined;
  readonly #gates: Readonly<Record<Side, InputGate>>;
  readonly #full = new Set<Side>();
  readonly #received: (bytes: Uint8Array) => void;
  readonly #restore = (): void => {
    this.#raw?.restore();
    setBlocking(this.#options.output, true);
  };
  #focus: Side;
  #onFocus: (() => void) | undefined;
  #lastWasNewline = true;

  constructor(options: StdioOptions) {
    const { input, output, serial } = options;
    this.#options = options;
    this.#focus = serial ? 'serial' : 'monitor';
    setBlocking(output, false);
    this.#sink = new ByteSink(output, 'standard output');
    this.#gates = { serial: this.#newGate('serial'), monitor: this.#newGate('monitor') };
    const keys = new EscapeKeys({
      input: (bytes) => this.#gates[this.#focus].push(bytes),
      escape: (escape) => this.#escape(escape),
    });
    const onTerminal = input.isTTY === true;
    const escapes = serial && (onTerminal || options.monitor);
    this.#received = (bytes) => {
      if (escapes) keys.feed(bytes);
      else this.#gates[this.#focus].push(bytes);
    };
    const raw = onTerminal && (serial || this.#isTerminal());
    this.#raw = raw ? options.rawTerminal() : undefined;
    process.on('exit', this.#restore);
    input.on('data', this.#received);
    input.once('end', this.#ended).once('error', this.#ended);
  }

  /** The guest's serial port; only when asked for. Its `close` does nothing: `Stdio.close` does. */
  readonly serial: SerialBackend = {
    write: (bytes) => {
      if (bytes.length > 0) this.#lastWasNewline = bytes[bytes.length - 1] === 0x0a;
      return this.#sink.write(bytes);
    },
    onData: (callback) => this.#gates.serial.onData(callback),
    onDrain: (callback) => this.#sink.onDrain(callback),
    pauseInput: () => this.#gates.serial.pause(),
    resumeInput: () => this.#gates.serial.resume(),
    close: () => Promise.resolve(),
  };

  /** The monitor's side; only when asked for. */
  get monitor(): Endpoint {
    const gate = this.#gates.monitor;
    const { output } = this.#options;
    return {
      isTerminal: this.#isTerminal(),
      columns: () => output.columns,
      write: (text) => this.#print(text),
      onDrain: (callback) => this.#sink.onDrain(callback),
      onInput: (callback) => gate.onData(callback),
      onEnd: (callback) => gate.onEnd(callback),
      onFocus: (callback) => {
        this.#onFocus = callback;
        if (this.#focus === 'monitor') callback();
      },
      onResize: (callback) => output.on('resize', callback),
      pauseInput: () => gate.pause(),
      resumeInput: () => gate.resume(),
      onClose: () => undefined,
      close: () => Promise.resolve(),
    };
  }

  /**
   * Makes the terminal ours again after others have had it: a shell, while this process was stopped.
   * What it is put back to in the end is what they have left.
   */
  takeBack(): void {
    this.giveUp();
    if (this.#raw !== undefined) this.#raw = this.#options.rawTerminal();
    setBlocking(this.#options.output, false);
  }

  /** Puts the terminal back for others, until `takeBack`. */
  giveUp(): void {
    this.#restore();
  }

  /** Writes what waits, restores the terminal and stops reading. */
  async close(): Promise<void> {
    const { input } = this.#options;
    input.off('data', this.#received).off('end', this.#ended).off('error', this.#ended);
    input.on('error', () => undefined).pause();
    if (this.#isTerminal() && !this.#lastWasNewline) this.#print('\r\n');
    await this.#sink.finish();
    this.#restore();
    process.off('exit', this.#restore);
  }

  readonly #ended = (): void => {
    this.#gates.serial.end();
    this.#gates.monitor.end();
  };

  /** Whether a person sees the output and types the input. */
  #isTerminal(): boolean {
    return this.#options.input.isTTY === true && this.#options.output.isTTY === true;
  }

  #print(text: string): boolean {
    if (text !== '') this.#lastWasNewline = text.endsWith('\n');
    return this.#sink.write(text);
  }

  #newGate(side: Side): InputGate {
    const { input } = this.#options;
    // On a terminal the escapes must be seen whatever the guest does: excess input is dropped.
    const mayWait = input.isTTY !== true;
    return new InputGate({
      pause: () => {
        this.#full.add(side);
        if (mayWait) input.pause();
      },
      resume: () => {
        this.#full.delete(side);
        if (mayWait && this.#full.size === 0) input.resume();
      },
    });
  }

  #escape(escape: Escape): void {
    switch (escape) {
      case 'quit':
        this.#options.onQuit();
        return;
      case 'help':
        this.#print(`\r\n${ESCAPE_HELP.map((line) => `${line}\r\n`).join('')}`);
        return;
      case 'switch':
        this.#switch();
    }
  }

  #switch(): void {
    if (!this.#options.monitor) {
      this.#print('\r\nThere is no monitor on this terminal (--monitor stdio).\r\n');
      return;
    }
    this.#focus = this.#focus === 'serial' ? 'monitor' : 'serial';
    if (!this.#lastWasNewline) this.#print('\r\n');
    if (this.#focus === 'monitor') this.#onFocus?.();
  }
}

/**
 * Node writes to terminals blocking, so that one that stands still (a slow line, a stopped
 * multiplexer) would stop the whole machine with it. Its handle can be told otherwise; where it
 * cannot, writes block as they did.
 */
function setBlocking(output: StdioOptions['output'], blocking: boolean): void {
  const handle: unknown = '_handle' in output ? output._handle : undefined;
  if (output.isTTY !== true || typeof handle !== 'object' || handle === null) return;
  if (!('setBlocking' in handle) || typeof handle.setBlocking !== 'function') return;
  Reflect.apply(handle.setBlocking, handle, [blocking]);
}
