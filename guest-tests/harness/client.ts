import { existsSync, watch } from 'node:fs';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { TextStream, WAIT_LIMIT_MS } from './text-stream.ts';

/** Resolves when there is a file at `path`. */
async function fileAppears(path: string, limitMs: number): Promise<void> {
  const watcher = watch(dirname(path));
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (existsSync(path)) resolve();
      };
      watcher.on('change', look).on('error', reject);
      timer = setTimeout(() => reject(new Error(`${path} does not appear`)), limitMs);
      look();
    });
  } finally {
    clearTimeout(timer);
    watcher.close();
  }
}

async function tryConnect(where: NetConnectOpts): Promise<Socket> {
  const socket = connect(where);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  return socket;
}

/** A client of a socket. */
export class SocketClient {
  readonly text: TextStream;
  readonly #socket: Socket;

  private constructor(socket: Socket, name: string, explain: () => string) {
    this.#socket = socket;
    this.text = new TextStream(name, explain);
    socket.setEncoding('utf8').on('data', (text: string) => this.text.push(text));
    socket.on('error', () => undefined).on('close', () => this.text.end());
    socket.on('end', () => this.text.end());
  }

  /** Waits for the socket to exist, then connects. */
  static async open(path: string, name: string, explain: () => string): Promise<SocketClient> {
    await fileAppears(path, WAIT_LIMIT_MS);
    for (;;) {
      try {
        return new SocketClient(await tryConnect({ path }), name, explain);
      } catch (error) {
        // The file exists from bind() on, and accepts from listen() on.
        if (!(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED')) {
          throw error;
        }
      }
    }
  }

  /** Connects to a port of this host that something listens at. */
  static async dial(port: number, name: string, explain: () => string): Promise<SocketClient> {
    return new SocketClient(await tryConnect({ port, host: '127.0.0.1' }), name, explain);
  }

  /** Reads no more. */
  pause(): void {
    this.#socket.pause();
  }

  write(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** Sends no more; what is under way still comes. */
  end(): void {
    this.#socket.end();
  }

  /** Is gone at once, as a client that crashes. */
  destroy(): void {
    this.#socket.destroy();
  }
}
