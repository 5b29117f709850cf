import { existsSync, readdirSync, statSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { Qmp } from '../harness/qmp.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startTsvmm, tempDir } from '../harness/test-vm.ts';
import type { Vm, VmOptions } from '../harness/vm.ts';

async function boot(options: VmOptions = {}): Promise<{ vm: Vm; path: string }> {
  const path = tempDir().file('qmp');
  const vm = await bootAgent({ ...options, args: ['--qmp', `unix:${path}`] });
  return { vm, path };
}

/** What a client says before it gives commands. */
const NEGOTIATE = '{"execute":"qmp_capabilities"}';

describe('a program', () => {
  it('sees the machine as it is', async () => {
    const { vm, path } = await boot({
      memory: '4G',
      cpus: 2,
      virtioMem: ['size=8G,block-size=2M,requested-size=1G'],
    });
    const qmp = await Qmp.open(vm, path);
    await vm.agent.initMem();
    await vm.agent.ok('sync');
    expect(await qmp.run('query-memory-devices')).toEqual([
      {
        type: 'virtio-mem',
        data: {
          id: 'vm0',
          memaddr: 0x1_4000_0000,
          'requested-size': GIB,
          size: GIB,
          'max-size': 8 * GIB,
          'block-size': 2 * MIB,
          node: 0,
          memdev: '/objects/mem0',
        },
      },
    ]);
    expect(await qmp.run('query-memory-size-summary')).toEqual({
      'base-memory': 4 * GIB,
      'plugged-memory': GIB,
    });
    expect(await qmp.run('query-memdev')).toContainEqual(
      expect.objectContaining({ id: 'mem0', size: 8 * GIB, 'host-nodes': [] }),
    );
    const threads = readdirSync(`/proc/${vm.pid}/task`).map(Number);
    const cpus = (await qmp.run('query-cpus-fast')) as Record<string, unknown>[];
    expect(cpus).toHaveLength(2);
    for (const cpu of cpus) {
      expect(threads).toContain(cpu['thread-id']);
      const path = cpu['qom-path'];
      expect(await qmp.run('qom-get', { path, property: 'apic-id' })).toBe(cpu['cpu-index']);
    }
  });

  it('drives what the human monitor drives', async () => {
    const { vm, path } = await boot({ virtioMem: ['size=1G,block-size=2M'] });
    const qmp = await Qmp.open(vm, path);
    const args = { path: 'vm0', property: 'requested-size' };
    await qmp.run('qom-set', { ...args, value: 512 * MIB });
    const monitor = await vm.monitor();
    expect(await monitor.value('info memory-devices', 'requested-size')).toBe(String(512 * MIB));
    await monitor.command('qom-set vm0 requested-size 64M');
    expect(await qmp.run('qom-get', args)).toBe(64 * MIB);
    const line = { 'command-line': 'info memory-devices' };
    expect(await qmp.run('human-monitor-command', line)).toContain(
      '  requested-size: 67108864\r\n',
    );
    for (const value of [2 ** 40, 3, -1, 'x']) {
      const { error } = await qmp.ask('qom-set', { ...args, value });
      expect(error).toMatchObject({
        class: 'GenericError',
        desc: expect.stringContaining('requested-size') as string,
      });
    }
    expect(await qmp.run('qom-get', args)).toBe(64 * MIB);
  });

  it('of this user alone can connect, and nothing is left behind', async () => {
    const { vm, path } = await boot();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const qmp = await Qmp.open(vm, path);
    qmp.client.write('{"execute":"quit"}');
    await qmp.rest();
    expect(await vm.exited).toEqual({ code: 0, signal: null });
    expect(existsSync(path)).toBe(false);
  });

  it('that pipes its commands in gets every answer', async () => {
    const { vm, path } = await boot();
    const qmp = await Qmp.connect(vm, path);
    qmp.client.write(`${NEGOTIATE}\n{"execute":"query-status","id":1}{"execute":"fly","id":2}`);
    qmp.client.end();
    expect(await qmp.rest()).toMatchObject([
      { return: {} },
      { id: 1, return: { running: true } },
      { id: 2, error: { class: 'CommandNotFound' } },
    ]);
  });
});

describe('over TCP', () => {
  /** Boots with a free port. */
  async function bootTcp(where: string): Promise<{ vm: Vm; port: number }> {
    const vm = await bootAgent({ args: ['--qmp', where] });
    await vm.process.stderr.expect('"option":"--qmp"');
    const port = Number(/"port":(\d+)/.exec(vm.process.stderr.transcript)?.[1]);
    return { vm, port };
  }

  async function dial(port: number, host: string): Promise<Socket> {
    const socket = connect({ port, host });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  it('only this host can connect, unless an address is given', async () => {
    const { port } = await bootTcp('tcp:0');
    const [greeting] = (await once(await dial(port, '127.0.0.1'), 'data')) as [Buffer];
    expect(greeting.toString()).toMatch(/^\{"QMP": /);
    await expect(dial(port, '127.0.0.2')).rejects.toThrow('ECONNREFUSED');
  });

  it('help tells the risk', async () => {
    const child = startTsvmm(['run', '--help']);
    await child.exited;
    const help = child.stdout.transcript.replace(/\s+/g, ' ');
    expect(help).toContain('--qmp <where>');
    expect(help).toContain('no password and no encryption');
  });

  it('an address for everybody is warned of', async () => {
    const { vm, port } = await bootTcp('tcp:0.0.0.0:0');
    expect(vm.process.stderr.transcript).toContain('"level":40');
    await dial(port, '127.0.0.2');
  });
});

describe('a place that cannot be had', () => {
  async function refuse(...args: readonly string[]): Promise<string> {
    const base = ['run', '--kernel', guestPath('agent'), '--serial', 'none', '--monitor', 'none'];
    const child = startTsvmm([...base, ...args]);
    expect((await child.exited).code).toBe(2);
    const said = child.stderr.transcript;
    expect(said).toMatch(/^tsvmm: [^\n]+\n$/);
    return said;
  }

  it.each(['stdio', 'unix:', 'tcp:', 'tcp:127.0.0.1:x', 'tcp:65536', 'tcp:no.such.host.invalid:1'])(
    'like %s is refused by name',
    async (where) => {
      expect(await refuse('--qmp', where)).toContain(`--qmp ${where}`);
    },
  );

  it('since another process has it is refused', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await refuse('--qmp', `tcp:${port}`)).toContain('EADDRINUSE');
    const path = tempDir().file('s');
    const other = createServer().listen(path);
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    expect(await refuse('--qmp', `unix:${path}`)).toContain(path);
  });

  it('leaves no other socket behind', async () => {
    const path = tempDir().file('s');
    await refuse('--qmp', `unix:${path}`, '--qmp', 'unix:/nowhere/s');
    expect(existsSync(path)).toBe(false);
  });

  it('nor an interval that is none', async () => {
    const path = tempDir().file('s');
    const said = await refuse('--qmp', `unix:${path}`, '--qmp-event-interval', '1s');
    expect(said).toContain('--qmp-event-interval=1s');
    expect(await refuse('--qmp-event-interval', '-5')).toContain('--qmp-event-interval=-5');
  });
});

describe('a hostile program', () => {
  /** Sends as much as is taken until all is sent or the server hangs up. */
  async function flood(path: string, piece: string, count: number): Promise<void> {
    const socket = connect(path).resume();
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.write(NEGOTIATE);
    for (let sent = 0; sent < count && !socket.destroyed; sent++) {
      const drained = new Promise((resolve) => socket.once('drain', resolve));
      if (!socket.write(piece)) await Promise.race([drained, gone]);
    }
    await gone;
  }

  it.each([
    ['a line of 100 MiB', 'x'.repeat(MIB)],
    ['brackets without an end', '['.repeat(MIB)],
    ['numbers without an end', '9'.repeat(MIB)],
  ])('that sends %s is cut off, and the machine goes on', async (_name, piece) => {
    const { vm, path } = await boot();
    const before = vm.residentBytes();
    await flood(path, piece, 100);
    expect(vm.residentBytes() - before).toBeLessThan(64 * MIB);
    const qmp = await Qmp.open(vm, path);
    expect(await qmp.run('query-status')).toMatchObject({ running: true });
  });

  it('that asks and never reads costs bounded memory', async () => {
    const { vm, path } = await boot();
    const before = vm.residentBytes();
    const sockets = Array.from({ length: 8 }, () => connect(path).pause());
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (const socket of sockets) {
      // The machine may end before they are destroyed.
      socket.on('error', () => undefined);
      socket.write(NEGOTIATE + '{"execute":"query-qmp-schema"}'.repeat(20_000));
    }
    const qmp = await Qmp.open(vm, path);
    for (let round = 0; round < 300; round++) {
      await qmp.run('stop');
      await qmp.run('cont');
    }
    expect(vm.residentBytes() - before).toBeLessThan(128 * MIB);
  });
});
