import type { Socket } from 'node:net';
import { ByteSink } from './byte-sink.ts';
import { InputGate } from './input-gate.ts';
import { RecentBytes } from './recent-bytes.ts';
import type { SerialBackend } from './serial-backend.ts';
import { UnixListener } from './unix-listener.ts';

/** What a client that comes late still sees of the guest's output. */
const KEPT_BYTES = 64 * 1024;

interface Client {
  readonly socket: Socket;
  readonly sink: ByteSink;
  /** It will send no more. It may still read, until another client wants its place. */
  ended: boolean;
}

/**
 * A serial port on a unix socket, for one client at a time. A client that does not read holds the
 * guest back; without a client the guest's output is kept up to a bound, and the next one gets it.
 */
class SerialSocket implements SerialBackend {
  readonly #listener: UnixListener;
  readonly #kept = new RecentBytes(KEPT_BYTES);
  readonly #input = new InputGate({
    pause: () => this.#client?.socket.pause(),
    resume: () => this.#client?.socket.resume(),
  });
  #client: Client | undefined;
  #drained: (() => void) | undefined;
  #held = false;

  constructor(listener: UnixListener) {
    this.#listener = listener;
    listener.onConnection((socket) => this.#accept(socket));
  }

  #accept(socket: Socket): void {
    if (this.#client !== undefined && !this.#client.ended) {
      socket.on('error', () => socket.destroy());
      socket.once('finish', () => socket.destroy());
      socket.end('tsvmm: another client is connected to this serial port\r\n');
      return;
    }
    this.#client?.socket.destroy();
    const client: Client = {
      socket,
      sink: new ByteSink(socket, 'serial client', 'debug'),
      ended: false,
    };
    this.#client = client;
    client.sink.onDrain(() => {
      if (client === this.#client) this.#release();
    });
    socket.on('data', (bytes) => {
      if (client === this.#client) this.#input.push(bytes);
    });
    socket.once('end', () => (client.ended = true));
    socket.once('close', () => {
      if (client !== this.#client) return;
      this.#client = undefined;
      this.#release();
    });
    this.#held = false;
    const kept = this.#kept.take();
    if (kept.length > 0 && !client.sink.write(kept)) this.#held = true;
    socket.resume();
  }

  #release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#drained?.();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#client === undefined) {
      this.#kept.push(bytes);
      return true;
    }
    const more = this.#client.sink.write(bytes);
    if (!more) this.#held = true;
    return more;
  }

  onData(callback: (bytes: Uint8Array) => void): void {
    this.#input.onData(callback);
  }

  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  pauseInput(): void {
    this.#input.pause();
  }

  resumeInput(): void {
    this.#input.resume();
  }

  async close(): Promise<void> {
    this.#listener.close();
    await this.#client?.sink.finish();
    this.#client?.socket.destroy();
  }
}

/**
 * Listens on a unix socket for the serial port's client.
 *
 * @throws ConfigError when the path cannot be used
 */
export async function openSerialSocket(path: string): Promise<SerialBackend> {
  return new SerialSocket(await UnixListener.open(path, '--serial'));
}
