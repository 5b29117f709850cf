import { statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { errorCode, HostError, messageOf } from '../errors.ts';
import { SOCKET_PATH_LIMIT } from './unix-listener.ts';

function refuse(path: string, why: string, cause?: unknown): never {
  throw new HostError('CANNOT_CONNECT', `${path}: ${why}`, { cause });
}

/** Says why there is no connection: the kernel refuses a file that is no socket as it does a dead one. */
function explain(path: string, error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOENT':
      return 'there is no such socket';
    case 'EACCES':
      return 'the socket belongs to another user';
    case 'ECONNREFUSED':
      if (statSync(path, { throwIfNoEntry: false })?.isSocket() === false) return 'not a socket';
      return 'nobody listens there any more: the process has ended';
    default:
      return messageOf(error);
  }
}

/**
 * Connects to a unix socket.
 *
 * @param path  at most 107 bytes
 * @returns a socket whose later errors just close it
 * @throws (rejects with) HostError saying in a line why not
 */
export async function connectUnix(path: string): Promise<Socket> {
  if (path === '') refuse("''", 'the path is empty');
  if (path.includes('\0')) refuse(path.replaceAll('\0', '\\0'), 'the path contains a NUL');
  const length = Buffer.byteLength(path);
  if (length > SOCKET_PATH_LIMIT) {
    refuse(path, `the path is ${length} bytes long; a socket's path ends at ${SOCKET_PATH_LIMIT}`);
  }
  const socket = connect(path);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
  } catch (error) {
    socket.destroy();
    refuse(path, explain(path, error), error);
  }
  socket.on('error', () => socket.destroy());
  return socket;
}
