import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSerialSocket } from './serial-socket.ts';
import type { SerialBackend } from './serial-backend.ts';
import type { WhenFull } from './target.ts';
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

/** Reads until the text so far matches. */
async function readUntil(socket: Socket, wanted: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString();
    if (wanted.test(text)) return text;
  }
  throw new Error(`the end came after ${text.slice(-200)}`);
}

function drained(): Promise<void> {
  return new Promise((resolve) => backend.onDrain(resolve));
}

/** Writes until told to wait. @returns bytes */
function fill(): number {
  for (let bytes = 8192; ; bytes += 8192) {
    if (!backend.write(new Uint8Array(8192).fill(0x66))) return bytes;
  }
}

async function open(whenFull: WhenFull, patienceMs?: number): Promise<void> {
  path = join(temporaryFolder(), 's');
  backend = await openSerialSocket(path, { whenFull, patienceMs });
}

/** A client that has got what was written for it. */
async function settledClient(): Promise<Socket> {
  const client = await newClient();
  backend.write(Buffer.from('hello'));
  await readUntil(client, /hello/);
  client.pause();
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await backend.close();
});

describe('a serial port on a socket', () => {
  beforeEach(() => open('drop'));

  it('tells a late client how much is lost, and gives it the last 64 KiB, then what comes', async () => {
    backend.write(Buffer.from('lost'));
    backend.write(Buffer.alloc(64 * 1024, 'k'));
    const client = await newClient();
    const wanted = `\r\n[tsvmm: 4 bytes lost, nobody read them]\r\n${'k'.repeat(64 * 1024)}`;
    expect(await read(client, wanted.length)).toBe(wanted);
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

  it('lets the guest go on when the client that held it vanishes', async () => {
    const client = await settledClient();
    fill();
    const goOn = drained();
    client.destroy();
    await goOn;
    expect(backend.write(Buffer.from('x'))).toBe(true);
  });

  it('gives the place to one that comes, with what there was, and tells the one that had it', async () => {
    const first = await settledClient();
    const second = await newClient();
    expect(await readUntil(second, /hello/)).toBe('hello');
    expect(await read(first, 1000)).toBe(
      '\r\n[tsvmm: another client has taken this serial port]\r\n',
    );
    const typed = new Promise<string>((resolve) =>
      backend.onData((bytes) => resolve(Buffer.from(bytes).toString())),
    );
    second.write('mine');
    expect(await typed).toBe('mine');
  });

  it('tells one that is sending when it loses its place, too', async () => {
    const first = await settledClient();
    backend.onData(() => backend.pauseInput());
    // More than waits for the guest: some of it is in the kernel.
    const sent = new Promise((resolve) => {
      first.once('error', resolve).write(new Uint8Array(4 * 1024 * 1024), resolve);
    });
    const second = await newClient();
    await readUntil(second, /hello/);
    expect(await sent).toBeFalsy();
    expect(await read(first, 1000)).toContain('another client has taken this serial port');
  });

  it('gives the place of a client that only reads to one that comes', async () => {
    const reader = await newClient();
    reader.end();
    backend.write(Buffer.from('still'));
    expect(await readUntil(reader, /still/)).toMatch(/^(\r\n)?still$/);
    const next = await newClient();
    next.write('typed');
    await new Promise<void>((resolve) => backend.onData(() => resolve()));
  });

  it('gives nothing to those that look whether somebody listens', async () => {
    const client = await settledClient();
    for (let i = 0; i < 5; i++) {
      const probe = connect(path);
      await once(probe, 'connect');
      probe.destroy();
      await once(probe, 'close');
    }
    backend.write(Buffer.from('for me'));
    expect(await readUntil(client, /for me/)).toBe('for me');
    client.destroy();
    backend.write(Buffer.from(' and for the next'));
    const probe = connect(path);
    await once(probe, 'connect');
    probe.destroy();
    await once(probe, 'close');
    const next = await newClient();
    expect(await readUntil(next, /next/)).toContain(' and for the next');
  });

  it('notices that a client has left although the guest reads nothing', async () => {
    backend.pauseInput();
    backend.onData(() => undefined);
    const first = await newClient();
    first.write('typed into a hung guest');
    backend.write(Buffer.from('x'));
    await read(first, 1);
    first.destroy();
    await once(first, 'close');
    backend.write(Buffer.from('panic'));
    const next = await newClient();
    expect(await readUntil(next, /panic/)).toContain('panic');
  });
});

describe('a client that does not read', () => {
  it('holds the guest up briefly, then misses what comes, and is told how much', async () => {
    await open('drop', 1);
    const client = await settledClient();
    let written = fill();
    await drained();
    for (let i = 0; i < 64; i++) {
      expect(backend.write(new Uint8Array(8192).fill(0x66))).toBe(true);
      written += 8192;
    }
    backend.write(Buffer.from('the end'));
    const text = await readUntil(client, /the end$/);
    const [, lost] = /\r\n\[tsvmm: (\d+) bytes lost, nobody read them\]\r\n/.exec(text) ?? [];
    expect(text.split('f').length - 1 + Number(lost)).toBe(written);
    expect(Number(lost)).toBeGreaterThanOrEqual(63 * 8192 - 64 * 1024);
  });

  it('leaves what it has not read to the one that takes its place', async () => {
    await open('drop', 1);
    await settledClient();
    fill();
    await drained();
    backend.write(Buffer.from('panic'));
    const next = await newClient();
    expect(await readUntil(next, /panic$/)).toContain('fff');
  });

  it('holds the guest up until it reads, with when-full=block', async () => {
    await open('block', 1);
    const client = await settledClient();
    const written = fill();
    let released = false;
    const goOn = drained().then(() => (released = true));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(released).toBe(false);
    expect(await read(client, written)).toBe('f'.repeat(written));
    await goOn;
    expect(backend.write(Buffer.from('x'))).toBe(true);
  });

  it('gives way to another that reads, with when-full=block', async () => {
    await open('block');
    await settledClient();
    fill();
    const goOn = drained();
    const next = await newClient();
    next.resume();
    await goOn;
    expect(backend.write(Buffer.from('x'))).toBe(true);
  });
});
