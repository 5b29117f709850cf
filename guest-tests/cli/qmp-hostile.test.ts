import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openFiles } from '../harness/host.ts';
import { Qmp } from '../harness/qmp.ts';
import { MIB } from '../harness/sizes.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const NEGOTIATE = '{"execute":"qmp_capabilities"}';
const STATUS = '{"execute":"query-status"}';

/** A machine, a program that wants its work done all the while, and a way in for others. */
async function boot(): Promise<{ vm: Vm; honest: Qmp; path: string }> {
  const path = tempDir().file('qmp');
  const vm = await bootAgent({ virtioMem: ['size=1G'], args: ['--qmp', `unix:${path}`] });
  return { vm, honest: await Qmp.open(vm, path), path };
}

function hostile(path: string): Socket {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Connects so many, in crowds that fit what may wait to be accepted. */
async function swarm(path: string, count: number): Promise<readonly Socket[]> {
  const crowd: Socket[] = [];
  while (crowd.length < count) {
    const some = Array.from({ length: 10 }, () => hostile(path));
    await Promise.all(
      some.map((socket) => once(socket, 'data').then(([hello]) => told.set(socket, String(hello)))),
    );
    crowd.push(...some);
  }
  return crowd;
}

/** What each was told first. */
const told = new WeakMap<Socket, string>();

/** All that a socket says until the other side is done. */
async function all(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  await once(socket, 'end');
  return text;
}

async function works({ vm, honest }: { vm: Vm; honest: Qmp }): Promise<void> {
  expect(await honest.run('query-status')).toMatchObject({ running: true, status: 'running' });
  await vm.agent.ok('info');
}

const sockets = (vm: Vm): number =>
  openFiles(vm.pid).filter((it) => it.startsWith('socket:')).length;

describe('hostile programs', () => {
  it('a thousand at once: some are served, the others told, and none is left', async () => {
    const scene = await boot();
    const { vm, path } = scene;
    const before = { sockets: sockets(vm), bytes: vm.residentBytes() };
    const crowd = await swarm(path, 1000);
    const having = (text: string): readonly Socket[] =>
      crowd.filter((socket) => told.get(socket)?.includes(text) === true);
    const refused = having('clients are connected to this machine');
    expect(refused.length).toBe(1000 - having('"QMP"').length);
    expect(refused.length).toBeGreaterThan(800);
    await works(scene);
    for (const socket of crowd) socket.destroy();
    await expect.poll(() => sockets(vm), { timeout: 60_000 }).toBe(before.sockets);
    expect(vm.residentBytes() - before.bytes).toBeLessThan(64 * MIB);
    const late = await Qmp.open(vm, path);
    expect(await late.run('query-status')).toMatchObject({ running: true });
  });

  it('that come and go by the thousand leave nothing behind', async () => {
    const scene = await boot();
    const before = sockets(scene.vm);
    for (let round = 0; round < 20; round++) {
      for (const socket of await swarm(scene.path, 50)) {
        socket.write(NEGOTIATE + STATUS.slice(0, round));
        socket.destroy();
      }
    }
    await expect.poll(() => sockets(scene.vm), { timeout: 60_000 }).toBe(before);
    await works(scene);
  });

  it('that close their half get what they asked for, and are let go', async () => {
    const scene = await boot();
    const before = sockets(scene.vm);
    const socket = hostile(scene.path);
    socket.end(NEGOTIATE + STATUS.repeat(50));
    const text = await all(socket);
    expect(text.split('"status": "running"')).toHaveLength(51);
    const silent = hostile(scene.path);
    silent.end();
    expect(await all(silent)).toMatch(/^\{"QMP": [^\n]+\r\n$/);
    const torn = hostile(scene.path);
    torn.end(`${NEGOTIATE}{"execute":"query-st`);
    expect(await all(torn)).toContain('{"return": {}}');
    // Who closes its half and never reads is not waited for: it ends when it goes.
    const stubborn = hostile(scene.path).pause();
    stubborn.end(NEGOTIATE + '{"execute":"query-qmp-schema"}'.repeat(500));
    await works(scene);
    stubborn.destroy();
    await expect.poll(() => sockets(scene.vm), { timeout: 60_000 }).toBe(before);
  });

  it.each([
    ['nonsense before the negotiation', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a value that is too deep', `${NEGOTIATE}${'['.repeat(65)}${']'.repeat(65)}`],
    ['a string of a megabyte', `${NEGOTIATE}{"execute":"${'x'.repeat(MIB)}"}`],
  ])('%s costs its connection', async (_name, bytes) => {
    const scene = await boot();
    const socket = hostile(scene.path);
    socket.write(bytes);
    expect(await all(socket)).toContain('"class": "GenericError"');
    await works(scene);
  });

  it.each([
    ['no JSON', '{"execute" "stop"}\n'],
    ['half a character', '{"execute":"\\ud800"}'],
    ['no request', '[1,2,3] "stop" null 5\n'],
    ['a command twice', '{"execute":"stop","exec-oob":"stop"}'],
    ['members of the prototype', '{"execute":"query-status","arguments":{"__proto__":{"x":1}}}'],
    ['the name of a method', '{"execute":"toString"}'],
  ])('%s is answered with an error, and nothing else comes of it', async (_name, bytes) => {
    const scene = await boot();
    const socket = hostile(scene.path);
    socket.end(NEGOTIATE + bytes + STATUS);
    const text = await all(socket);
    expect(text).toMatch(/"class": "(GenericError|CommandNotFound)"/);
    expect(text).toContain('"status": "running"');
    await works(scene);
  });

  it('one that reads a byte at a time holds up nobody but itself', async () => {
    const scene = await boot();
    const { vm, honest } = scene;
    const socket = hostile(scene.path).pause();
    socket.write(NEGOTIATE + '{"execute":"query-qmp-schema"}'.repeat(200));
    const before = vm.residentBytes();
    for (let round = 0; round < 100; round++) {
      socket.read(1);
      await honest.run('query-qmp-schema');
    }
    expect(vm.residentBytes() - before).toBeLessThan(64 * MIB);
    await works(scene);
  });
});
