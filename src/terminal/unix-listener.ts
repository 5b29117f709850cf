import { chmodSync, closeSync, constants, linkSync, lstatSync, mkdtempSync } from 'node:fs';
import { openSync, rmSync, type Stats, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { ConfigError, errorCode, HostError, messageOf } from '../errors.ts';
import { log } from '../log.ts';
import { BACKLOG, type Listener } from './listener.ts';
import { WaitingClients } from './waiting-clients.ts';

/** Bytes of a socket's path that fit beside its NUL: sun_path of unix(7) has 108. */
export const SOCKET_PATH_LIMIT = 107;

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new ConfigError('SOCKET_PATH', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Whether a process listens behind a socket file; only a refused connection says that none does. */
async function isAlive(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    return true;
  } catch (error) {
    const code = errorCode(error);
    return code !== 'ECONNREFUSED' && code !== 'ENOENT';
  } finally {
    socket.destroy();
  }
}

function sameFile(a: Stats | undefined, b: Stats | undefined): boolean {
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** Makes room for a new socket: removes what a dead process left, refuses everything else. */
async function clearPath(path: string, option: string): Promise<void> {
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket()) {
    const kind = found.isDirectory() ? 'a directory' : 'a file that is not a socket';
    throw new ConfigError('SOCKET_PATH', `${option} unix:${path}: the path is ${kind}`);
  }
  if (await isAlive(path)) {
    throw new ConfigError(
      'SOCKET_TAKEN',
      `${option} unix:${path}: another process is using this socket`,
    );
  }
  // Only what was looked at: somebody else may have started to listen there since.
  if (sameFile(statOf(path), found)) unlinkSync(path);
}

/**
 * Has the server listen at a path where others can never connect: the socket is made in a folder
 * of the user's, and comes out when its mode is set. A mask of the process (umask) would do, but
 * worker threads cannot set it.
 */
function listenPrivately(server: Server, path: string): void {
  const folder = mkdtempSync(join(dirname(path), '.tsvmm-'));
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  // However long the folder's path is. libuv will remove what has this name when the server
  // closes: nothing else ever has it.
  const inside = `/proc/self/fd/${fd}/${basename(folder)}`;
  try {
    server.listen({ path: inside, backlog: BACKLOG });
    // Otherwise the error comes as an event.
    if (!server.listening) return;
    chmodSync(inside, 0o600);
    linkSync(inside, path);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bind(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listenPrivately(server, path);
  });
}

/**
 * A unix socket that accepts clients. Its file belongs to the user alone (0600) and is gone after
 * `close()` or the end of the process.
 */
export class UnixListener implements Listener {
  readonly kind = 'unix';
  readonly path: string;
  readonly #server: Server;
  readonly #file: Stats | undefined;
  readonly #clients = new WaitingClients();
  readonly #removeFile = (): void => {
    try {
      if (sameFile(statOf(this.path), this.#file)) unlinkSync(this.path);
    } catch {
      // Nothing more can be done about a file that does not go away.
    }
  };

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    this.#file = statOf(path);
    server.on('connection', (socket) => this.#clients.accept(socket));
    server.on('error', (error) => log('socket').warn({ path }, messageOf(error)));
    process.on('exit', this.#removeFile);
  }

  /**
   * Listens at once; clients that come before `onConnection` wait. The socket file of a dead
   * process is replaced.
   *
   * @param path   at most 107 bytes
   * @param option the option it was given for, for messages
   * @throws ConfigError for a path that is too long, in use, another kind of file, or not writable
   */
  static async open(path: string, option: string): Promise<UnixListener> {
    const length = Buffer.byteLength(path);
    if (length > SOCKET_PATH_LIMIT) {
      throw new ConfigError(
        'SOCKET_PATH_TOO_LONG',
        `${option} unix:${path}: the path is ${length} bytes long; a socket's path ends at ${SOCKET_PATH_LIMIT}`,
      );
    }
    await clearPath(path, option);
    // Half-open: a client that has sent all its commands still gets its answers.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    try {
      await bind(server, path);
    } catch (error) {
      server.close();
      const Family = errorCode(error) === 'EMFILE' ? HostError : ConfigError;
      throw new Family('SOCKET_PATH', `${option} unix:${path}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return new UnixListener(path, server);
  }

  /** Hands every client, waiting or new, to `serve`: paused, to be resumed and closed by it. */
  onConnection(serve: (socket: Socket) => void): void {
    this.#clients.serveWith(serve);
  }

  /** Stops listening and removes the file. Clients that are being served stay connected. */
  close(): void {
    this.#clients.dismiss();
    this.#removeFile();
    process.off('exit', this.#removeFile);
    this.#server.close();
  }
}
