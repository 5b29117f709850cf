import { Duplex } from 'node:stream';
import type { SerialBackend } from '../devices/serial/backend.ts';

/** Bytes that are kept while nobody reads. */
const KEPT = 64 * 1024;
/** Bytes that wait for a reader who pauses, here and in the stream each, before the guest does. */
const CAPACITY = 16 * 1024;

/**
 * The serial port of a machine as a stream: what the guest says is read, what is written the guest
 * gets. Until somebody reads, the latest 64 KiB are kept and the guest is not held up; from then on
 * a reader that pauses makes the guest wait.
 */
export class SerialStream extends Duplex {
  /** The guest's side. */
  readonly backend: SerialBackend = {
    write: (bytes) => this.#fromGuest(bytes),
    onDrain: (callback) => {
      this.#drained = callback;
    },
    onData: (callback) => {
      this.#toGuest = callback;
    },
    pauseInput: () => {
      this.#held = true;
    },
    resumeInput: () => this.#resumeInput(),
  };
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** The reader has asked and not yet got anything. */
  #wanted = false;
  #full = false;
  #drained: () => void = () => undefined;
  /** Absent while the machine has no serial port, or none any more: what is written is lost. */
  #toGuest: ((bytes: Uint8Array) => void) | undefined;
  #held = false;
  #sent: { readonly bytes: Uint8Array; readonly done: () => void } | undefined;
  #ended = false;

  constructor() {
    super({ readableHighWaterMark: CAPACITY });
  }

  /** The guest says and hears no more; what it has said can still be read. Idempotent. */
  finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#toGuest = undefined;
    this.#resumeInput();
    this.end();
    if (this.#wanted || this.#waiting.length === 0) this.#give();
  }

  override _read(): void {
    this.#wanted = true;
    this.#give();
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    if (this.#held && this.#toGuest !== undefined) {
      this.#sent = { bytes, done };
      return;
    }
    this.#toGuest?.(bytes);
    done();
  }

  #resumeInput(): void {
    this.#held = false;
    const sent = this.#sent;
    if (sent === undefined) return;
    this.#sent = undefined;
    this._write(sent.bytes, 'binary', sent.done);
  }

  #fromGuest(bytes: Uint8Array): boolean {
    if (this.destroyed) return true;
    this.#waiting.push(Uint8Array.from(bytes));
    this.#waitingBytes += bytes.length;
    if (this.#wanted) this.#give();
    const hasReader = this.readableFlowing !== null;
    if (!hasReader) this.#forget();
    this.#full = hasReader && this.#waitingBytes >= CAPACITY;
    return !this.#full;
  }

  /** Gives the reader what waits, as far as it takes it. */
  #give(): void {
    while (this.#wanted && this.#waiting.length > 0) {
      const bytes = this.#waiting.shift();
      if (bytes === undefined) break;
      this.#waitingBytes -= bytes.length;
      this.#wanted = this.push(bytes);
    }
    if (this.#ended && this.#waiting.length === 0) this.push(null);
    if (!this.#full || this.#waitingBytes >= CAPACITY) return;
    this.#full = false;
    // The port must not be told from within its own write().
    queueMicrotask(this.#drained);
  }

  /** Drops the oldest, by whole pieces. */
  #forget(): void {
    while (this.#waitingBytes > KEPT && this.#waiting.length > 1) {
      this.#waitingBytes -= this.#waiting.shift()?.length ?? 0;
    }
  }

  /** A reader that is gone holds nobody up. */
  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#held = false;
    this.#sent = undefined;
    if (this.#full) {
      this.#full = false;
      queueMicrotask(this.#drained);
    }
    callback(error);
  }
}
