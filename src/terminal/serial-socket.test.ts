import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSerialBackend } from './open-serial.ts';
import type { SerialBackend } from './serial-backend.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

let path: string;
let backend: SerialBackend;
const clients: Socket[] = [];

async function newClient(): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  clients.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Reads until `length` bytes or the end have come. */
async function read(socket: Socket, length: number): Promise<string> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString();
    if (text.length >= length) break;
  }
  return text;
}

function drained(): Promise<void> {
  return new Promise((resolve) => backend.onDrain(resolve));
}

/** Writes until told to wait. */
function fill(): void {
  while (backend.write(new Uint8Array(8192)));
}

beforeEach(async () => {
  path = join(temporaryFolder(), 's');
  backend = await openSerialBackend({ kind: 'unix', path });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await backend.close();
});

describe('a serial port on a socket', () => {
  it('gives a late client the last 64 KiB, then what comes', async () => {
    backend.write(Buffer.from('lost'));
    backend.write(Buffer.alloc(64 * 1024, 'k'));
    const client = await newClient();
    expect(await read(client, 64 * 1024)).toBe('k'.repeat(64 * 1024));
    backend.write(Buffer.from('live'));
    expect(await read(client, 4)).toBe('live');
  });

  it('carries bytes to the guest', async () => {
    const got: string[] = [];
    const client = await newClient();
    client.write('root\r');
    await new Promise<void>((resolve) =>
      backend.onData((bytes) => {
        got.push(Buffer.from(bytes).toString());
        resolve();
      }),
    );
    expect(got.join('')).toBe('root\r');
  });

  it('holds the guest back for a client that does not read, and goes on when it does', async () => {
    const client = await newClient();
    backend.write(Buffer.from('hello'));
    await read(client, 5);
    client.pause();
    fill();
    const goOn = drained();
    client.resume();
    await goOn;
    expect(backend.write(Buffer.from('x'))).toBe(true);
  });

  it('lets the guest go on when the client that held it vanishes', async () => {
    const client = await newClient();
    backend.write(Buffer.from('hello'));
    await read(client, 5);
    fill();
    const goOn = drained();
    client.destroy();
    await goOn;
    expect(backend.write(Buffer.from('x'))).toBe(true);
  });

  it('refuses a second client with a line, and serves it after the first has gone', async () => {
    const first = await newClient();
    backend.write(Buffer.from('one'));
    expect(await read(first, 3)).toBe('one');
    const second = await newClient();
    expect(await read(second, 1000)).toBe(
      'tsvmm: another client is connected to this serial port\r\n',
    );
    first.destroy();
    let reply = '';
    while (!reply.startsWith('two')) {
      // The departure is noticed by the loop, not at once.
      const client = await newClient();
      backend.write(Buffer.from('two'));
      reply = await read(client, 3);
    }
  });

  it('gives the place of a client that only reads to one that comes', async () => {
    const reader = await newClient();
    reader.end();
    backend.write(Buffer.from('still'));
    expect(await read(reader, 5)).toBe('still');
    const next = await newClient();
    next.write('typed');
    await new Promise<void>((resolve) => backend.onData(() => resolve()));
  });

  it('notices that a client has left although the guest reads nothing', async () => {
    backend.pauseInput();
    backend.onData(() => undefined);
    const first = await newClient();
    first.write('typed into a hung guest');
    backend.write(Buffer.from('x'));
    await read(first, 1);
    first.destroy();
    for (;;) {
      const next = await newClient();
      backend.write(Buffer.from('panic'));
      if ((await read(next, 5)).includes('panic')) break;
    }
  });
});
