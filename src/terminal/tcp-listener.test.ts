import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { setLogLevel } from '../log.ts';
import { TcpListener } from './tcp-listener.ts';

setLogLevel('silent');

async function open(port = 0): Promise<TcpListener> {
  const listener = await TcpListener.open({ kind: 'tcp', host: '127.0.0.1', port }, '--qmp');
  onTestFinished(() => listener.close());
  return listener;
}

async function dial({ port }: TcpListener): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

describe('TcpListener', () => {
  it('hands over clients that came before anybody served them, and new ones', async () => {
    const listener = await open();
    await dial(listener);
    const served: Socket[] = [];
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        listener.onConnection((socket) => {
          served.push(socket);
          if (served.length === 2) resolve();
        });
        void dial(listener);
      });
    });
    for (const socket of served) expect(socket.isPaused()).toBe(true);
    for (const socket of served) socket.destroy();
  });

  it('lets go of clients that wait when it closes', async () => {
    const listener = await open();
    const socket = await dial(listener);
    const closed = once(socket.resume(), 'close');
    listener.close();
    await closed;
  });

  it('refuses a port that is taken, by name', async () => {
    const { port } = await open();
    await expect(open(port)).rejects.toThrow(`--qmp tcp:127.0.0.1:${port}: listen EADDRINUSE`);
  });
});
