import { connectVm, createVm } from 'tsvmm';
import { describe, expect, it } from 'vitest';
import { SocketClient } from '../harness/client.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { tempDir } from '../harness/test-vm.ts';
import { agentOptions, startAgent } from './agent-vm.ts';

const UUID = '550e8400-e29b-41d4-a716-446655440000';

describe('a machine in this process', () => {
  it('takes NUMA nodes, backends and devices as objects, as the command takes text', async () => {
    const { vm } = await startAgent({
      memory: undefined,
      cpus: 4,
      memoryBackends: [
        { type: 'memfd', id: 'near', size: '64M' },
        { type: 'ram', id: 'grow', size: '4G' },
      ],
      numa: [
        { type: 'node', cpus: [0, 1], memdev: 'near' },
        { type: 'node', cpus: '2-3', memory: 32 * MIB },
        { type: 'dist', src: 0, dst: 1, val: 30 },
      ],
      virtioMem: [{ memdev: 'grow', node: 1 }],
    });
    expect(await vm.monitor('info numa')).toBe(
      '2 nodes\nnode 0 cpus: 0 1\nnode 0 size: 64 MB\nnode 0 plugged: 0 MB\n' +
        'node 1 cpus: 2 3\nnode 1 size: 32 MB\nnode 1 plugged: 0 MB\n',
    );
    expect(await vm.memoryDevice('vm0').state()).toMatchObject({ node: 1, maxSize: 4 * GIB });
  });

  it('has a name, and lets people and programs in', async () => {
    const folder = tempDir();
    const [qmp, monitor] = [folder.file('qmp'), folder.file('monitor')];
    const { vm } = await startAgent({
      ...{ name: 'guest of a test', uuid: UUID.toUpperCase() },
      ...{ qmp: `unix:${qmp}`, qmpEventIntervalMs: 0, monitor: `unix:${monitor}` },
      virtioMem: ['size=1G,block-size=2M'],
    });
    expect(vm).toMatchObject({ name: 'guest of a test', uuid: UUID });
    const person = await SocketClient.open(monitor, 'monitor', () => '');
    person.write('info uuid\n');
    await person.text.expect(UUID);
    const program = await connectVm(qmp);
    expect(await program.monitor('info name')).toBe('guest of a test\n');
    await program.memoryDevice('vm0').request('64M');
    expect(await vm.memoryDevice('vm0').state()).toMatchObject({ requestedSize: 64 * MIB });
    const ended = (async () => {
      const types: string[] = [];
      for await (const { type } of program.events()) types.push(type);
      return types;
    })();
    await program.quit();
    expect(await ended).toEqual(['shutdown']);
    expect(await vm.ended).toEqual({ kind: 'quit' });
    expect(folder.list()).toEqual([]);
  });

  it.each([
    [{ uuid: 'x' }, '--uuid=x'],
    [{ name: '' }, '--name='],
    [{ qmp: 'stdio' }, '--qmp stdio: must be unix:PATH'],
    [{ qmp: 'unix:/nowhere/qmp' }, '/nowhere/qmp'],
    [{ qmp: 'tcp:0', qmpEventIntervalMs: -1 }, '--qmp-event-interval=-1'],
    [{ monitor: 'stdio' }, '--monitor=stdio: a program can only give a socket'],
    [{ numa: [{ type: 'node', cpus: 4 }] }, '--numa node cpus=4'],
  ])('refuses %j', async (options, why) => {
    const refused = createVm(agentOptions(options as object));
    await expect(refused).rejects.toMatchObject({ name: 'ConfigError' });
    await expect(refused).rejects.toThrow(why);
  });
});
