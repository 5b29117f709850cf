import type { Socket } from 'node:net';
import { log } from '../log.ts';
import { ByteSink } from './byte-sink.ts';
import { endInOrder } from './end-in-order.ts';
import { InputGate } from './input-gate.ts';
import { OutputHistory } from './output-history.ts';
import type { SerialBackend } from './serial-backend.ts';
import type { WhenFull } from './target.ts';
import { UnixListener } from './unix-listener.ts';

/** What a client that comes late, or reads late, still sees of the guest's output. */
const KEPT_BYTES = 64 * 1024;
/** How long a client may keep the guest waiting before it counts as one that does not read, ms. */
const PATIENCE_MS = 250;
/** How long a connection must last, unless it says something, before it is a client, ms. */
const ARRIVAL_MS = 50;

export interface SerialSocketOptions {
  readonly whenFull: WhenFull;
  /** Milliseconds; a parameter for tests. */
  readonly patienceMs?: number | undefined;
}

interface Client {
  readonly socket: Socket;
  readonly sink: ByteSink;
  /** Its buffers are full. */
  full: boolean;
  /** Position in the output up to which its socket has taken it. */
  taken: number;
}

/**
 * A serial port on a unix socket, for one client at a time: one that comes takes the place of the one
 * that was there. The guest waits for a client that reads slowly; for one that does not read it waits
 * briefly, or with `when-full=block` until it does. What nobody takes is kept up to a bound, and who
 * reads next gets that, and is told how much is lost.
 */
class SerialSocket implements SerialBackend {
  readonly #listener: UnixListener;
  readonly #options: SerialSocketOptions;
  readonly #history = new OutputHistory(KEPT_BYTES);
  readonly #input = new InputGate({
    pause: () => this.#client?.socket.pause(),
    resume: () => this.#client?.socket.resume(),
  });
  /** Connections that are yet to stay a moment, and how they become the client at once. */
  readonly #arrivals = new Map<Socket, () => void>();
  #client: Client | undefined;
  /** Position in the output up to which clients have got it. */
  #delivered = 0;
  #drained: (() => void) | undefined;
  /** The guest waits. */
  #held = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(listener: UnixListener, options: SerialSocketOptions) {
    this.#listener = listener;
    this.#options = options;
    listener.onConnection((socket) => this.#accept(socket));
  }

  /**
   * A connection that is closed again at once, as by a process that looks whether this socket is in
   * use, takes nobody's place and gets no output.
   */
  #accept(socket: Socket): void {
    let ended = false;
    const admit = (): void => {
      this.#arrivals.delete(socket);
      clearTimeout(timer);
      if (socket.destroyed) return;
      socket.removeAllListeners();
      this.#admit(socket);
    };
    const timer = setTimeout(() => {
      if (!ended) {
        admit();
        return;
      }
      // It sends no more, and may be gone: what cannot be written tells.
      socket.write('\r\n', (error) => {
        if (!error) admit();
      });
    }, ARRIVAL_MS);
    this.#arrivals.set(socket, admit);
    socket.on('error', () => socket.destroy());
    socket.once('end', () => (ended = true));
    socket.once('close', () => {
      this.#arrivals.delete(socket);
      clearTimeout(timer);
    });
    socket.once('data', (bytes) => {
      admit();
      this.#input.push(bytes);
    });
    socket.resume();
  }

  #admit(socket: Socket): void {
    const previous = this.#client;
    if (previous !== undefined) {
      // What it has not read is lost with it, and nobody knows how much that is: show it all again.
      this.#delivered = Math.min(this.#delivered, this.#history.start);
      dismiss(previous);
    }
    const client: Client = {
      socket,
      sink: new ByteSink(socket, 'serial client', 'debug'),
      full: false,
      taken: this.#delivered,
    };
    this.#client = client;
    client.sink.onDrain(() => {
      if (client !== this.#client) return;
      client.full = false;
      this.#catchUp(client);
    });
    socket.on('data', (bytes) => {
      if (client === this.#client) this.#input.push(bytes);
    });
    socket.once('close', () => {
      if (client === this.#client) this.#left(client);
    });
    this.#catchUp(client);
  }

  /** What was sent when it had gone already is the next one's. */
  #left(client: Client): void {
    this.#client = undefined;
    this.#delivered = client.taken;
    this.#release();
  }

  /** Gives a client that has room what it has missed; then the guest may go on. */
  #catchUp(client: Client): void {
    const lost = this.#history.start - this.#delivered;
    if (lost > 0) {
      log('terminal').debug({ lost }, 'output of the guest was lost: no serial client read it');
      client.sink.write(`\r\n[tsvmm: ${lost} bytes lost, nobody read them]\r\n`);
    }
    if (this.#delivered < this.#history.end) {
      this.#send(client, this.#history.from(this.#delivered));
    }
    if (!client.full) this.#release();
  }

  /** @param bytes  the output's latest. @returns whether there is room for more */
  #send(client: Client, bytes: Uint8Array): boolean {
    const { end } = this.#history;
    this.#delivered = end;
    client.full = !client.sink.write(bytes, () => (client.taken = end));
    return !client.full;
  }

  #release(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    if (!this.#held) return;
    this.#held = false;
    this.#drained?.();
  }

  write(bytes: Uint8Array): boolean {
    this.#history.push(bytes);
    const client = this.#client;
    if (client === undefined || client.full) return true;
    const more = this.#send(client, bytes);
    if (!more) this.#hold();
    return more;
  }

  #hold(): void {
    this.#held = true;
    if (this.#options.whenFull === 'block') return;
    const { patienceMs = PATIENCE_MS } = this.#options;
    this.#patience = setTimeout(() => this.#release(), patienceMs).unref();
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
    clearTimeout(this.#patience);
    this.#listener.close();
    for (const admit of [...this.#arrivals.values()]) admit();
    await this.#client?.sink.finish();
    this.#client?.socket.destroy();
  }
}

/** Tells a client that it has lost its place, and lets go of it. */
function dismiss({ socket, full }: Client): void {
  if (full || socket.destroyed) {
    socket.destroy();
    return;
  }
  socket.write('\r\n[tsvmm: another client has taken this serial port]\r\n');
  endInOrder(socket);
}

/**
 * Listens on a unix socket for the serial port's client.
 *
 * @throws ConfigError when the path cannot be used
 */
export async function openSerialSocket(
  path: string,
  options: SerialSocketOptions,
): Promise<SerialBackend> {
  return new SerialSocket(await UnixListener.open(path, '--serial'), options);
}
