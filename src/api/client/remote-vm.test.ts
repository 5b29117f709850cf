import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { MachineEvents } from '../../machine/events.ts';
import { FakeMachine } from '../../monitor/testing/fake-machine.ts';
import { QmpServer } from '../../qmp/server.ts';
import { temporaryFolder } from '../../terminal/testing/temporary-folder.ts';
import { UnixListener } from '../../terminal/unix-listener.ts';
import { GIB, MIB } from '../../units.ts';
import { connectVm, type RemoteVm } from './remote-vm.ts';

let machine: FakeMachine;
let events: MachineEvents;
let server: QmpServer;
let path: string;
let vm: RemoteVm;

beforeEach(async () => {
  machine = new FakeMachine();
  events = new MachineEvents();
  server = new QmpServer({ control: machine, events, deviceIntervalMs: 0 });
  path = join(temporaryFolder(), 'qmp');
  server.serve(await UnixListener.open(path, '--qmp'));
  vm = await connectVm(path);
});
afterEach(async () => {
  await vm.close();
  await server.close();
});

/** What answers at a socket, whoever calls: at once, and then to each command. */
async function impostor(greeting: string, answers: readonly string[] = []): Promise<string> {
  const where = join(temporaryFolder(), 'socket');
  const listener = createServer((socket) => {
    socket.on('error', () => undefined);
    const left = [...answers];
    socket.on('data', () => socket.write(left.shift() ?? ''));
    socket.write(greeting);
  });
  await new Promise<void>((resolve) => listener.listen(where, resolve));
  onTestFinished(() => void listener.close());
  return where;
}

/** A port that nobody listens on any more. */
async function unusedPort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

describe('a machine in another process', () => {
  it('is driven', async () => {
    await vm.stop();
    expect(await vm.status()).toBe('paused');
    await vm.cont();
    expect(await vm.status()).toBe('running');
    await vm.reset();
    await vm.powerDown();
    await vm.quit();
    expect(machine.calls).toEqual(['stop', 'cont', 'reset', 'powerDown', 'quit']);
  });

  it('tells of its memory devices', async () => {
    expect(await vm.memoryDevices()).toMatchObject([
      { id: 'vm0', size: 0, requestedSize: 0, maxSize: 8 * GIB, blockSize: 2 * MIB },
      { id: 'vm1', size: GIB, node: 1, memaddr: 0x3_4000_0000 },
    ]);
    expect(await vm.memoryDevice('vm1').state()).toMatchObject({
      ...{ id: 'vm1', convergence: 'busy', cause: 'answered BUSY: no memory' },
    });
    await expect(vm.memoryDevice('vm7').state()).rejects.toMatchObject({ code: 'NO_DEVICE' });
  });

  it('resizes them', async () => {
    expect(await vm.memoryDevice('vm0').resize('2G')).toMatchObject({ size: 2 * GIB });
    await expect(vm.memoryDevice('vm0').resize('3M')).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(vm.memoryDevice('vm7').request('2G')).rejects.toMatchObject({ code: 'REFUSED' });
  });

  it('runs lines of the human monitor', async () => {
    expect(await vm.monitor('info status')).toBe('VM status: running\n');
  });

  it('tells what happens, up to its end', async () => {
    const seen: string[] = [];
    const following = (async () => {
      for await (const { type } of vm.events()) seen.push(type);
    })();
    await vm.status();
    events.emit({ type: 'stop' });
    events.emit({ type: 'shutdown', guest: false, cause: 'quit' });
    await following;
    expect(seen).toEqual(['stop', 'shutdown']);
    expect(await vm.status()).toBe('ended');
    expect(await vm.memoryDevices()).toEqual([]);
  });

  it('tells what established clients are not told', async () => {
    const next = vm.events().next();
    const about = { id: 'vm0', path: '/machine/peripheral/vm0' };
    const why = { state: 'stalled', reason: 'busy', cause: 'the host is busy' } as const;
    const event = { type: 'memory-device-convergence', ...about, ...why } as const;
    events.emit({ ...event, size: 0, requestedSize: GIB });
    expect(await next).toMatchObject({ value: { type: event.type, state: 'stalled' } });
  });

  it('may be of a version that tells of everything unasked', async () => {
    const answers = [
      '{"return": {}, "id": 1}',
      '{"id": 2, "error": {"class": "CommandNotFound", "desc": "no such command"}}',
      '{"return": {"running": true, "status": "running"}, "id": 3}',
    ];
    const older = await connectVm(await impostor('{"QMP": {}}', answers));
    expect(await older.status()).toBe('running');
    await older.close();
  });

  it('is lost with the connection, and closed without an error', async () => {
    const next = vm.events().next();
    const status = vm.status();
    await status;
    await server.close();
    await expect(next).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    await expect(vm.status()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    await vm.close();
    await vm.close();
  });
});

describe('connectVm', () => {
  it('says that nobody is there', async () => {
    for (const where of ['/nowhere/qmp', 'unix:/nowhere/qmp']) {
      const refused = { code: 'CANNOT_CONNECT', message: '/nowhere/qmp: there is no such socket' };
      await expect(connectVm(where)).rejects.toMatchObject(refused);
    }
    const port = await unusedPort();
    await expect(connectVm(`tcp:${port}`)).rejects.toMatchObject({
      code: 'CANNOT_CONNECT',
      message: `tcp:${port}: nobody listens there`,
    });
    await expect(connectVm('tcp:nobody.invalid:1')).rejects.toThrow(/^tcp:nobody.invalid:1: the/);
    await expect(connectVm('')).rejects.toThrow('the path is empty');
    await expect(connectVm('a\0b')).rejects.toThrow('the path contains a NUL');
    await expect(connectVm('tcp:nowhere')).rejects.toMatchObject({ name: 'ConfigError' });
  });

  it('does not wait for ever for what says nothing', async () => {
    const refused = connectVm(await impostor(''), { timeoutMs: 50 });
    await expect(refused).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    await expect(refused).rejects.toThrow('nothing that speaks QMP answers in 50 ms');
  });

  it.each([Number.NaN, -5, '9'])('takes no %j for a time', async (timeoutMs) => {
    const refused = connectVm(path, { timeoutMs } as object);
    await expect(refused).rejects.toMatchObject({ code: 'BAD_OPTION' });
  });

  it('waits as long as that may be', async () => {
    const other = await connectVm(path, { timeoutMs: 2 ** 40 });
    expect(await other.status()).toBe('running');
    await other.close();
  });

  it.each([
    ['SSH-2.0-OpenSSH\r\n', 'does not speak QMP'],
    ['[]\r\n', 'does not speak QMP'],
    ['{"error": {"desc": "too many"}}\r\n', 'too many'],
    [`{"QMP": "${'x'.repeat(17 * MIB)}"}`, 'does not speak QMP'],
    ['{"QMP": {}}\r\n{"event": "MEMORY_DEVICE_SIZE_CHANGE", "data": {}}\r\n', 'no id'],
  ])('says what is wrong with what answers: %.40s', async (answer, why) => {
    const refused = connectVm(await impostor(answer));
    await expect(refused).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    await expect(refused).rejects.toThrow(why);
  });
});
