import type { Listener } from './listener.ts';
import type { SocketTarget } from './target.ts';
import { UnixListener } from './unix-listener.ts';

/** A socket that takes clients. */
export interface OpenEnd {
  readonly listener: Listener;
  /** Where they connect: `unix:PATH` or `tcp:ADDRESS:PORT`, with the port that it got. */
  readonly where: string;
}

/**
 * Listens where an option says.
 *
 * @param option as `--qmp`, for messages
 * @throws ConfigError when that cannot be had
 */
export async function openListener(target: SocketTarget, option: string): Promise<OpenEnd> {
  if (target.kind === 'unix') {
    const listener = await UnixListener.open(target.path, option);
    return { listener, where: `unix:${listener.path}` };
  }
  const { TcpListener } = await import('./tcp-listener.ts');
  const listener = await TcpListener.open(target, option);
  return { listener, where: `${target.kind}:${listener.host}:${listener.port}` };
}
