import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Endpoint } from './endpoint.ts';
import { socketEndpoint } from './socket-endpoint.ts';

interface Ends {
  readonly client: Socket;
  readonly served: Socket;
  readonly endpoint: Endpoint;
}

/** @param where  `unix` or `tcp` */
async function meet(where: string): Promise<Ends> {
  const folder = mkdtempSync(join(tmpdir(), 'tsvmm-test-'));
  const server = createServer({ allowHalfOpen: true });
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  if (where === 'unix') server.listen(join(folder, 'socket'));
  else server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const target = typeof address === 'string' ? { path: address } : { port: address?.port ?? 0 };
  const accepted = once(server, 'connection');
  const client = connect({ ...target, allowHalfOpen: true });
  const [served] = (await accepted) as [Socket];
  onTestFinished(() => {
    client.destroy();
    served.destroy();
  });
  return { client, served, endpoint: socketEndpoint(served, 'a client') };
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

describe.each(['unix', 'tcp'])('the end of a connection by us (%s)', (where) => {
  it('lets a client that is sending read what was said last', async () => {
    const { client, served, endpoint } = await meet(where);
    endpoint.pauseInput();
    // More than we read: some of it is in the kernel when the connection ends.
    const sent = new Promise((resolve) => {
      client.once('error', resolve).write(new Uint8Array(4 * 1024 * 1024), resolve);
    });
    await once(served, 'data');
    endpoint.write('goodbye');
    await endpoint.close();
    expect(await sent).toBeFalsy();
    let text = '';
    client.on('data', (bytes) => (text += String(bytes)));
    await once(client, 'end');
    expect(text).toBe('goodbye');
    client.end();
    await closed(served);
  });

  it('is over when the client has ended before', async () => {
    const { client, served, endpoint } = await meet(where);
    endpoint.onInput(() => undefined);
    client.end('that is all');
    await once(served, 'end');
    await endpoint.close();
    await closed(served);
  });

  it('does not wait for ever for a client that stays', async () => {
    const { served, endpoint } = await meet(where);
    await endpoint.close();
    await closed(served);
  });
});
