import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import { CLIENT_LIMIT } from '../terminal/listener.ts';
import { TestClient, useQmpRig, type Message } from './testing/rig.ts';

setLogLevel('silent');
const rig = useQmpRig();

function error(desc: string, errorClass = 'GenericError'): Message {
  return { error: { class: errorClass, desc } };
}
const NOT_READY = error(
  "Expecting capabilities negotiation with 'qmp_capabilities'",
  'CommandNotFound',
);

describe('negotiation', () => {
  it('begins with a greeting', async () => {
    const client = new TestClient(rig().path);
    expect(await client.next()).toEqual({
      QMP: {
        version: { qemu: { major: 0, minor: 1, micro: 0 }, package: 'tsvmm 0.1.0' },
        capabilities: ['oob'],
      },
    });
    client.socket.destroy();
  });

  it('comes before any command', async () => {
    const client = await rig().connect();
    expect(await client.ask('query-status')).toEqual(NOT_READY);
    expect(await client.ask('fly')).toEqual(NOT_READY);
    expect(await client.ask('qmp_capabilities')).toEqual({ return: {} });
    expect(await client.ask('query-status')).toHaveProperty('return');
  });

  it('happens once', async () => {
    const client = await rig().ready();
    expect(await client.ask('qmp_capabilities')).toEqual(
      error('Capabilities negotiation is already complete, command ignored', 'CommandNotFound'),
    );
  });

  it('enables no capability that there is not', async () => {
    const client = await rig().connect();
    expect(await client.ask('qmp_capabilities', { enable: ['speed'] })).toEqual(
      error("Parameter 'enable[0]' does not accept value 'speed'"),
    );
    expect(await client.ask('query-status')).toEqual(NOT_READY);
  });

  it('is of each client alone', async () => {
    await rig().ready();
    expect(await (await rig().connect()).ask('query-status')).toEqual(NOT_READY);
  });
});

describe('requests', () => {
  it.each([7, 'x', null, [1, { a: null }], { b: {} }, 1.5, false])(
    'come back with their id %j',
    async (id) => {
      const client = await rig().ready();
      client.send({ execute: 'query-name', id });
      client.send({ execute: 'fly', id });
      expect(await client.next()).toEqual({ return: { name: 'test' }, id });
      expect(await client.next()).toMatchObject({ id, error: { class: 'CommandNotFound' } });
    },
  );

  it('keep ids that no double holds', async () => {
    const client = await rig().ready();
    client.send('{"execute":"query-name","id":9007199254740993}');
    const [bytes] = (await once(client.socket, 'data')) as [Buffer];
    expect(bytes.toString()).toBe('{"return": {"name": "test"}, "id": 9007199254740993}\r\n');
  });

  it('are served in order, however they are written', async () => {
    const client = await rig().ready();
    client.send('{"execute":"stop","id":1}{"execute":\n"cont" ,"id":2}\r\n[]{"execute":"que');
    client.send('ry-name","id":4}');
    expect([await client.next(), await client.next()]).toMatchObject([{ id: 1 }, { id: 2 }]);
    expect(await client.next()).toEqual(error('QMP input must be a JSON object'));
    expect(await client.next()).toMatchObject({ id: 4 });
    expect(rig().machine.calls).toEqual(['stop', 'cont']);
  });

  it.each([
    ['{"id":7}', "QMP input lacks member 'execute'", 7],
    ['{"execute":3}', "QMP input member 'execute' must be a string"],
    ['{"execute":"stop","foo":1}', "QMP input member 'foo' is unexpected"],
    ['{"execute":"stop","arguments":3}', "QMP input member 'arguments' must be an object"],
    ['{"execute":"stop","arguments":{"a":1}}', "Parameter 'a' is unexpected"],
    ['{"exec-oob":"query-status"}', "QMP input member 'exec-oob' is unexpected"],
    ['nonsense\n', "JSON parse error, invalid keyword 'nonsense'"],
    ['{"execute":"stop",}', 'JSON parse error, expecting the name of a member'],
  ])('like %j are refused', async (text, desc, id?: unknown) => {
    const client = await rig().ready();
    client.send(text);
    expect(await client.next()).toEqual({ ...error(desc), ...(id === undefined ? {} : { id }) });
    expect(await client.ask('query-name')).toHaveProperty('return');
    expect(rig().machine.calls).toEqual([]);
  });

  it('whose arguments are wrong are refused by the schema', async () => {
    const client = await rig().ready();
    expect(await client.ask('qom-get', { path: 'vm0' })).toEqual(
      error("Parameter 'property' is missing"),
    );
    expect(await client.ask('qom-get', { path: 3, property: 'size' })).toEqual(
      error("Invalid parameter type for 'path', expected: string"),
    );
  });

  it('that came before the end of the input are answered', async () => {
    const client = await rig().ready();
    client.send('{"execute":"stop"}{"execute":"query-name"}{"exec');
    client.socket.end();
    expect(await client.rest()).toEqual([{ return: {} }, { return: { name: 'test' } }]);
  });
});

describe('out of band', () => {
  /** A client whose `stop` waits until the test lets it go on. */
  async function stopping(): Promise<{ client: TestClient; release: () => void }> {
    const client = await rig().ready('oob');
    let release = (): void => undefined;
    rig().machine.stopping = new Promise((resolve) => (release = resolve));
    client.send({ execute: 'stop', id: 'stop' });
    return { client, release };
  }

  it('a command overtakes those that wait', async () => {
    const { client, release } = await stopping();
    client.send({ execute: 'query-name', id: 'later' });
    client.send({ 'exec-oob': 'query-status', id: 'now' });
    expect(await client.next()).toMatchObject({ id: 'now', return: { status: 'running' } });
    release();
    expect(await client.next()).toEqual({ return: {}, id: 'stop' });
    expect(await client.next()).toMatchObject({ id: 'later' });
  });

  it('the machine can be ended while a command hangs', async () => {
    const { client, release } = await stopping();
    client.send({ 'exec-oob': 'quit', id: 'quit' });
    expect(await client.next()).toEqual({ return: {}, id: 'quit' });
    expect(rig().machine.calls).toContain('quit');
    release();
  });

  it('commands that may wait are refused', async () => {
    const client = await rig().ready('oob');
    client.send({ 'exec-oob': 'stop', id: 1 });
    expect(await client.next()).toEqual({
      ...error('The command stop does not support OOB'),
      id: 1,
    });
    client.send({ 'exec-oob': 'fly' });
    expect(await client.next()).toMatchObject({ error: { class: 'CommandNotFound' } });
    client.send({ 'exec-oob': 'query-status', execute: 'stop' });
    expect(await client.next()).toEqual(
      error("QMP input member 'execute' clashes with 'exec-oob'"),
    );
  });
});

describe('a client', () => {
  it('whose first words are not JSON is cut off: a web page is not a client', async () => {
    const client = await rig().connect();
    client.send('POST / HTTP/1.1\r\n\r\n{"execute":"qmp_capabilities"}{"execute":"quit"}');
    expect(await client.rest()).toEqual([error("JSON parse error, invalid keyword 'POST'")]);
    expect(rig().machine.calls).toEqual([]);
  });

  it.each([
    ['a line without an end', `{"execute":"${'x'.repeat(600_000)}`, /longer than/],
    ['brackets without an end', '['.repeat(100_000), /nested deeper than/],
    ['objects without an end', '{"a":'.repeat(100_000), /nested deeper than/],
  ])('that sends %s is cut off, and no other', async (_name, text, desc) => {
    const other = await rig().ready();
    const client = await rig().ready();
    client.send(text);
    const [last] = await client.rest();
    expect(last).toMatchObject({ error: { desc: expect.stringMatching(desc) as string } });
    expect(await other.ask('query-name')).toHaveProperty('return');
  });

  it('beyond the limit is told so', async () => {
    const clients: TestClient[] = [];
    for (let at = 0; at < CLIENT_LIMIT; at++) clients.push(await rig().connect());
    const extra = new TestClient(rig().path);
    expect(await extra.rest()).toEqual([
      error(`${CLIENT_LIMIT} clients are connected to this machine already`),
    ]);
    clients[0]?.socket.destroy();
    await once(clients[0]?.socket ?? extra.socket, 'close');
    await expect
      .poll(() =>
        rig()
          .connect()
          .catch(() => undefined),
      )
      .toBeDefined();
  });

  it('that does not read holds nobody up, and its commands wait in its socket', async () => {
    const other = await rig().ready();
    const client = await rig().ready();
    client.socket.pause();
    client.send('{"execute":"query-qmp-schema"}'.repeat(200));
    expect(await other.ask('query-name')).toHaveProperty('return');
    client.socket.resume();
    for (let got = 0; got < 200; got++) expect(await client.next()).toHaveProperty('return');
  });
});

describe('the server', () => {
  it('answers what has ended the machine, then hangs up', async () => {
    const client = await rig().ready();
    const { machine, server } = rig();
    machine.quit = () => void server.close();
    client.send({ execute: 'quit' });
    expect(await client.rest()).toEqual([{ return: {} }]);
    expect(existsSync(rig().path)).toBe(false);
  });
});
