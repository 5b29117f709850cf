import { connect, type Socket } from 'node:net';
import { errorCode, HostError, messageOf } from '../errors.ts';
import { parseSocketTarget } from './target.ts';
import { connectUnix } from './unix-client.ts';

/** Why there is no connection, in words, where the code of the failed system call is a known one. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that host',
  ETIMEDOUT: 'the host does not answer',
};

function explain(error: unknown): string {
  return REASONS[errorCode(error) ?? ''] ?? messageOf(error);
}

/**
 * Connects to a machine: `unix:PATH`, `tcp:ADDR:PORT` or `tcp:PORT` as for the option that made the socket;
 * anything else is the path of one.
 *
 * @param option  as `--qmp`, for messages
 * @param signal  gives up a host that does not answer: a socket here does at once
 * @throws (rejects with) HostError saying in a line why not, or ConfigError
 */
export async function openSocket(
  where: string,
  option: string,
  signal: AbortSignal,
): Promise<Socket> {
  if (!/^(unix|tcp):/.test(where)) return connectUnix(where);
  const target = parseSocketTarget(where, option);
  if (target.kind === 'unix') return connectUnix(target.path);
  const socket = connect({ port: target.port, host: target.host, signal });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
  } catch (cause) {
    socket.destroy();
    const why = signal.aborted ? messageOf(signal.reason) : explain(cause);
    throw new HostError('CANNOT_CONNECT', `${where}: ${why}`, { cause });
  }
  return socket;
}
