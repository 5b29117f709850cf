import { UnixListener } from '../terminal/unix-listener.ts';
import type { Listener } from './server.ts';
import type { QmpTarget } from './target.ts';

/** Listens where `--qmp` says. @throws ConfigError when that cannot be had */
export async function openListener(target: QmpTarget): Promise<Listener> {
  if (target.kind === 'unix') return await UnixListener.open(target.path, '--qmp');
  const { TcpListener } = await import('./tcp-listener.ts');
  return await TcpListener.open(target.host, target.port);
}
