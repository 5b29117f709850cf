import { UnixListener } from '../terminal/unix-listener.ts';
import type { Listener } from './server.ts';
import type { QmpTarget } from './target.ts';

/** A socket that takes clients. */
export interface OpenEnd {
  readonly listener: Listener;
  /** Where they connect: `unix:PATH` or `tcp:ADDRESS:PORT`, with the port that it got. */
  readonly where: string;
}

/** Listens where `--qmp` says. @throws ConfigError when that cannot be had */
export async function openListener(target: QmpTarget): Promise<OpenEnd> {
  if (target.kind === 'unix') {
    const listener = await UnixListener.open(target.path, '--qmp');
    return { listener, where: `unix:${listener.path}` };
  }
  const { TcpListener } = await import('./tcp-listener.ts');
  const listener = await TcpListener.open(target.host, target.port);
  return { listener, where: `tcp:${listener.host}:${listener.port}` };
}
