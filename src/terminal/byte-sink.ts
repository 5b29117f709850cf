import type { Writable } from 'node:stream';
import { messageOf } from '../errors.ts';
import { log } from '../log.ts';

/** Bytes at which output is dropped: reached only by a sender that does not hold back. */
const DROP_BYTES = 1024 * 1024;
/** How long `finish` waits for a reader that does not read. */
const FINISH_MS = 500;

/**
 * Bytes to a stream whose reader may be slow or gone. Memory is bounded, and a failed stream takes
 * and drops everything: a lost console is no reason to stop a guest.
 */
export class ByteSink {
  readonly #stream: Writable;
  readonly #drained: (() => void)[] = [];
  #failed = false;
  #held = false;

  /**
   * @param name  what the stream is called in the log
   * @param level how much its failure is worth: clients of sockets come and go
   */
  constructor(stream: Writable, name: string, level: 'warn' | 'debug' = 'warn') {
    this.#stream = stream;
    stream.on('drain', () => this.#release());
    stream.on('error', (error) => {
      if (!this.#failed)
        log('terminal')[level]({ stream: name }, `output is dropped: ${messageOf(error)}`);
      this.#failed = true;
      this.#release();
    });
  }

  #release(): void {
    if (!this.#held) return;
    this.#held = false;
    for (const callback of this.#drained) callback();
  }

  /**
   * @param onTaken  called when the stream has them all
   * @returns false when the sender should wait for `onDrain`
   */
  write(bytes: Uint8Array | string, onTaken?: () => void): boolean {
    if (this.#failed || this.#stream.destroyed) return true;
    if (this.#stream.writableLength >= DROP_BYTES) return false;
    // A copy: the caller uses its buffer again.
    const copy = typeof bytes === 'string' ? bytes : Buffer.from(bytes);
    const more =
      onTaken === undefined
        ? this.#stream.write(copy)
        : this.#stream.write(copy, (error) => {
            if (!error) onTaken();
          });
    if (!more) this.#held = true;
    return more;
  }

  /** Adds a listener: everybody who writes here may have been told to hold back. */
  onDrain(callback: () => void): void {
    this.#drained.push(callback);
  }

  /** Waits until everything is written, the stream has failed, or its reader takes too long. */
  async finish(): Promise<void> {
    if (this.#failed || this.#stream.destroyed || this.#stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FINISH_MS);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#stream.write('', done);
      this.#stream.once('error', done);
    });
  }
}
