import { connectVm, ResizeError } from 'tsvmm';
import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startTsvmm, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function ctl(...args: readonly string[]): Promise<Outcome> {
  const child = startTsvmm(['ctl', ...args]);
  const { code } = await child.exited;
  return { code, stdout: child.stdout.transcript, stderr: child.stderr.transcript };
}

/** A machine with a QMP socket. */
async function boot(): Promise<{ vm: Vm; qmp: string }> {
  const qmp = tempDir().file('qmp.sock');
  const vm = await bootAgent({ virtioMem: ['size=4G'], args: ['--qmp', `unix:${qmp}`] });
  return { vm, qmp };
}

async function bootFollower(): Promise<{ vm: Vm; qmp: string }> {
  const booted = await boot();
  await booted.vm.agent.initMem();
  await booted.vm.agent.ok('follow');
  return booted;
}

/** A machine does not know what its guest makes of memory. */
const PLUGGED =
  'tsvmm: vm0: 2 GiB is plugged; whether it is online, only the guest knows (ctl --help)\n';

describe('tsvmm ctl', () => {
  it('resizes, and waits for the guest', async () => {
    const { vm, qmp } = await bootFollower();
    const resized = await ctl(qmp, 'memory', 'resize', 'vm0', '2G', '--wait');
    expect(resized).toEqual({ code: 0, stdout: '', stderr: PLUGGED });
    expect((await vm.agent.memConfig()).plugged).toBe(2 * GIB);
    const again = await ctl(qmp, 'memory', 'resize', 'vm0', '2G', '--wait');
    expect(again).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await ctl(qmp, 'memory', 'list')).stdout).toBe('vm0: 2 GiB (at most 4 GiB)\n');
    const listed = await ctl(`unix:${qmp}`, 'memory', 'list', '--json');
    expect(JSON.parse(listed.stdout)).toMatchObject([{ id: 'vm0', size: 2 * GIB }]);
  });

  it('tells by its exit code and one line why a resize is not done', async () => {
    const { vm, qmp } = await boot();
    const late = await ctl(qmp, 'memory', 'resize', 'vm0', '1G', '--wait', '--timeout', '0.5');
    expect(late.code).toBe(6);
    expect(late.stderr).toMatch(/^tsvmm: vm0: not done after 0.5 s, .*no driver.*\n$/);
    const odd = await ctl(qmp, 'memory', 'resize', 'vm0', '3M', '--wait');
    expect(odd.code).toBe(5);
    expect(odd.stderr).toMatch(/^tsvmm: vm0: .*not a multiple of the block size.*\n$/);
    const none = await ctl(qmp, 'memory', 'resize', 'vm1', '1G');
    expect(none.code).toBe(5);
    expect(none.stderr).toContain('there is vm0');
    await vm.agent.initMem();
    const stalled = await ctl(qmp, 'memory', 'resize', 'vm0', '2G', '--wait');
    expect(stalled.code).toBe(4);
    expect(stalled.stderr).toMatch(/^tsvmm: vm0: stalled at 0 B of 2 GiB: .*\n$/);
  });

  it('holds, resets and ends the machine', async () => {
    const { vm, qmp } = await boot();
    expect((await ctl(qmp, 'status')).stdout).toBe('running\n');
    expect((await ctl(qmp, 'stop')).code).toBe(0);
    expect((await ctl(qmp, 'status')).stdout).toBe('paused\n');
    expect((await ctl(qmp, 'cont')).code).toBe(0);
    expect((await ctl(qmp, 'reset')).code).toBe(0);
    await vm.agent.ready();
    expect((await ctl(qmp, 'hmp', 'info status')).stdout).toBe(
      'VM status: running\nresets: monitor 1\n',
    );
    expect((await ctl(qmp, 'quit')).code).toBe(0);
    expect((await vm.exited).code).toBe(0);
    expect(await ctl(qmp, 'status')).toMatchObject({ code: 1 });
  });

  it.each([
    [['status', 'now'], 'write ctl PATH status'],
    [['memory'], 'not a command'],
    [['memory', 'resize', 'vm0'], 'write ctl PATH memory resize ID SIZE'],
    [['status', '--wait'], '--wait does not apply'],
    [['memory', 'resize', 'vm0', '1G', '--timeout', '5'], 'only with --wait'],
    [['memory', 'resize', 'vm0', '1G', '--wait', '--timeout', 'x'], 'must be seconds'],
    [['memory', 'resize', 'vm0', 'much'], 'SIZE=much: not a size'],
  ])('refuses %j', async (words, why) => {
    const { qmp } = await boot();
    const { code, stderr } = await ctl(qmp, ...words);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr).toContain(why);
  });
});

describe('connectVm', () => {
  it('follows a machine in another process as one in this', async () => {
    const { vm, qmp } = await bootFollower();
    await using remote = await connectVm(qmp);
    const events = remote.events();
    const sizes: number[] = [];
    for await (const { size } of remote.memoryDevice('vm0').resize('4G')) sizes.push(size);
    expect(sizes.at(-1)).toBe(4 * GIB);
    const waiting = remote.memoryDevice('vm0').resize('4G');
    expect(await waiting).toMatchObject({ size: 4 * GIB, convergence: 'converged' });
    vm.process.write('poweroff\n');
    const types: string[] = [];
    for await (const { type } of events) types.push(type);
    expect(types[0]).toBe('memory-device-size');
    expect(types.at(-1)).toBe('shutdown');
    expect(await remote.status()).toBe('ended');
  });

  it('rejects what waits when the process is gone', async () => {
    const { vm, qmp } = await boot();
    const remote = await connectVm(qmp);
    const resize = remote.memoryDevice('vm0').resize(64 * MIB);
    const failed = resize.catch((error: unknown) => error);
    const ended = remote.events().next();
    await remote.status();
    vm.process.kill('SIGKILL');
    expect(await failed).toMatchObject({ code: 'CONNECTION_LOST' });
    expect(await failed).not.toBeInstanceOf(ResizeError);
    await expect(ended).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    await expect(remote.stop()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  });
});
