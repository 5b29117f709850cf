import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import { MachineEvents } from '../machine/events.ts';
import { FakeMachine } from '../monitor/testing/fake-machine.ts';
import { openSocket } from '../terminal/open-socket.ts';
import { temporaryFolder } from '../terminal/testing/temporary-folder.ts';
import { connectVm } from './client/remote-vm.ts';
import { Servers } from './servers.ts';

setLogLevel('silent');

let folder: string;
let servers: Servers | undefined;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(async () => {
  await servers?.close();
});

async function open(options: object): Promise<Servers> {
  servers = await Servers.open({ kernel: 'vmlinux', ...options });
  return servers;
}

async function expectAnswer(where: string): Promise<void> {
  const vm = await connectVm(where);
  expect(await vm.status()).toBe('running');
  await vm.close();
}

const hasIpv6 = networkInterfaces()['lo']?.some(({ address }) => address === '::1') === true;

describe('Servers', () => {
  it('lets programs in at every place that is named, once there is a machine', async () => {
    const [one, two] = [join(folder, 'one'), join(folder, 'two')];
    const opened = await open({ qmp: [`unix:${one}`, `unix:${two}`] });
    const answer = expectAnswer(one);
    opened.serve(new FakeMachine(), new MachineEvents());
    await answer;
    await expectAnswer(two);
  });

  it('says where, with the port that it got', async () => {
    const path = join(folder, 'one');
    const opened = await open({ qmp: ['tcp:0', `unix:${path}`] });
    opened.serve(new FakeMachine(), new MachineEvents());
    expect(opened.qmp).toEqual([
      expect.stringMatching(/^tcp:127\.0\.0\.1:[1-9]\d+$/),
      `unix:${path}`,
    ]);
    for (const where of opened.qmp) await expectAnswer(where);
  });

  it('says where the monitor is, likewise', async () => {
    const opened = await open({ monitor: 'tcp:0' });
    opened.serve(new FakeMachine(), new MachineEvents());
    expect(opened.monitor).toMatch(/^tcp:127\.0\.0\.1:[1-9]\d+$/);
    const socket = await openSocket(
      opened.monitor ?? '',
      '--monitor',
      new AbortController().signal,
    );
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    expect(greeting.toString()).toMatch(/^tsvmm .* monitor/);
    socket.destroy();
    const path = join(folder, 'monitor');
    const other = await open({ monitor: `unix:${path}` });
    expect(other.monitor).toBe(`unix:${path}`);
    await opened.close();
    await other.close();
    expect((await open({})).monitor).toBeUndefined();
  });

  it.skipIf(!hasIpv6)('says an IPv6 address as it is written before a port', async () => {
    const opened = await open({ qmp: 'tcp:[::1]:0' });
    opened.serve(new FakeMachine(), new MachineEvents());
    const [where = ''] = opened.qmp;
    expect(where).toMatch(/^tcp:\[::1\]:[1-9]\d+$/);
    await expectAnswer(where);
  });

  it('takes its sockets away', async () => {
    const [qmp, monitor] = [join(folder, 'qmp'), join(folder, 'monitor')];
    const opened = await open({ qmp: `unix:${qmp}`, monitor: `unix:${monitor}` });
    expect([existsSync(qmp), existsSync(monitor)]).toEqual([true, true]);
    await opened.close();
    await opened.close();
    expect([existsSync(qmp), existsSync(monitor)]).toEqual([false, false]);
  });

  it('leaves nothing when one of them cannot be had', async () => {
    const taken = createServer();
    const path = join(folder, 'taken');
    await new Promise<void>((resolve) => taken.listen(path, resolve));
    const qmp = join(folder, 'qmp');
    const refused = open({ qmp: `unix:${qmp}`, monitor: `unix:${path}` });
    await expect(refused).rejects.toMatchObject({ name: 'ConfigError' });
    expect(existsSync(qmp)).toBe(false);
    await new Promise((resolve) => taken.close(resolve));
  });

  it('is nothing where nothing is named', async () => {
    const opened = await open({});
    opened.serve(new FakeMachine(), new MachineEvents());
    await opened.close();
  });
});
