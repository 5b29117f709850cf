import { describe, expect, it, onTestFinished } from 'vitest';
import type { Child } from '../harness/child.ts';
import { RESTORED, startOnTerminal } from '../harness/terminal.ts';
import { bootAgent, startTsvmm, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const WHOLE = '#'.repeat(32);
const HALF = WHOLE.replace(/.{16}$/, '.'.repeat(16));
const NONE = '.'.repeat(32);

/** A machine whose guest does what the test says, and where its QMP is. */
async function boot(): Promise<{ vm: Vm; qmp: string }> {
  const qmp = tempDir().file('qmp.sock');
  const args = ['--qmp', `unix:${qmp}`, '--qmp-event-interval', '0'];
  const vm = await bootAgent({ virtioMem: ['size=4G,block-size=2M'], args });
  return { vm, qmp };
}

const resize = (qmp: string, size: string): readonly string[] => [
  ...['ctl', qmp, 'memory', 'resize', 'vm0', size, '--wait'],
];

/** Waits until the guest has been asked for something. */
async function asked(vm: Vm): Promise<void> {
  const monitor = await vm.monitor();
  await expect
    .poll(() => monitor.command('qom-get vm0 requested-size'), { timeout: 60_000 })
    .not.toBe('0\n');
}

async function ending(child: Child): Promise<{ code: number | null; stderr: string }> {
  const { code } = await child.exited;
  return { code, stderr: child.stderr.transcript };
}

describe('ctl memory resize --wait at a terminal', () => {
  it('shows how far the guest is, on one line', async () => {
    const { vm, qmp } = await boot();
    const { addr } = await vm.agent.initMem();
    const terminal = startOnTerminal(resize(qmp, '2G'));
    await terminal.stdout.expect(`\rvm0 [${NONE}] 0 B of 2 GiB`);
    expect(await vm.agent.ok(`plug ${addr} 512`)).toBe('ack');
    await terminal.stdout.expect(`\rvm0 [${HALF}] 1 GiB of 2 GiB`);
    expect(await vm.agent.ok(`plug ${addr + 2 ** 30} 512`)).toBe('ack');
    expect(await ending(terminal)).toEqual({ code: 0, stderr: RESTORED });
    const text = terminal.stdout.transcript;
    expect(text).toContain(`\rvm0 [${WHOLE}] 2 GiB of 2 GiB`);
    expect(text).toMatch(/^[^\n]*\r\ntsvmm: vm0: 2 GiB is plugged; [^\n]*online[^\n]*\r\n$/);
  });

  it('counts from what the guest had when it shrinks', async () => {
    const { vm, qmp } = await boot();
    const { addr } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    await monitor.command('qom-set vm0 requested-size 1G');
    expect(await vm.agent.ok(`plug ${addr} 512`)).toBe('ack');
    const terminal = startOnTerminal(resize(qmp, '0'));
    await terminal.stdout.expect(`\rvm0 [${NONE}] 1 GiB -> 0 B`);
    expect(await vm.agent.ok(`unplug ${addr} 256`)).toBe('ack');
    await terminal.stdout.expect(`\rvm0 [${HALF}] 512 MiB -> 0 B`);
    expect(await vm.agent.ok(`unplug ${addr + 2 ** 29} 256`)).toBe('ack');
    expect((await ending(terminal)).code).toBe(0);
  });

  it('says on a line of its own why it is not done', async () => {
    const { qmp } = await boot();
    const terminal = startOnTerminal([...resize(qmp, '2G'), '--timeout', '0.5']);
    expect((await ending(terminal)).code).toBe(6);
    expect(terminal.stdout.transcript).toMatch(
      /2 GiB\x1b\[K\r\ntsvmm: vm0: not done after 0.5 s, .*no driver[^\n]*\r\n$/,
    );
  });

  it('gives up with Ctrl-C; what was asked stays asked', async () => {
    const { vm, qmp } = await boot();
    const terminal = startOnTerminal(resize(qmp, '2G'));
    await terminal.stdout.expect('0 B of 2 GiB');
    terminal.write('\x03');
    expect(await ending(terminal)).toEqual({ code: 130, stderr: RESTORED });
    const monitor = await vm.monitor();
    expect(await monitor.command('qom-get vm0 requested-size')).toBe(`${2 ** 31}\n`);
  });
});

describe('ctl memory resize --wait in a script', () => {
  it('tells another request from a stall by its words', async () => {
    const { vm, qmp } = await boot();
    const child = startTsvmm(resize(qmp, '2G'));
    await asked(vm);
    const monitor = await vm.monitor();
    await monitor.command('qom-set vm0 requested-size 1G');
    expect(await ending(child)).toEqual({
      code: 4,
      stderr: 'tsvmm: vm0: 1 GiB was requested instead of 2 GiB\n',
    });
  });

  it('waits as long as it may for a guest that does nothing for a while, and says so', async () => {
    const { vm, qmp } = await boot();
    const { addr } = await vm.agent.initMem();
    const child = startTsvmm([...resize(qmp, '1G'), '--timeout', '600']);
    await child.stderr.expect(/tsvmm: vm0: stalled at 0 B of 1 GiB, still waiting: .*\n/);
    expect(await vm.agent.ok(`plug ${addr} 256`)).toBe('ack');
    await child.stderr.expect('tsvmm: vm0: goes on, at 512 MiB of 1 GiB\n');
    expect(await vm.agent.ok(`plug ${addr + 2 ** 29} 256`)).toBe('ack');
    expect((await ending(child)).code).toBe(0);
  });

  it('has patience with a driver that comes late', async () => {
    const { vm, qmp } = await boot();
    const child = startTsvmm(resize(qmp, '1G'));
    await asked(vm);
    const monitor = await vm.monitor();
    // Long enough for a guest with a driver to be stalled: how long it has been is shown.
    await expect
      .poll(() => monitor.command('info memory-devices -v'), { timeout: 60_000 })
      .toMatch(/for (?:[6-9]|\d\d)(?:\.\d+)? s/);
    await vm.agent.initMem();
    expect(await monitor.command('info memory-devices -v')).toContain('has not asked for anything');
    await vm.agent.ok('follow');
    expect(await ending(child)).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^tsvmm: vm0: [^\n]+ is plugged; [^\n]+\n$/) as string,
    });
  });

  it('counts the time that a machine takes to answer at all', async () => {
    const { vm, qmp } = await boot();
    vm.process.kill('SIGSTOP');
    onTestFinished(() => vm.process.kill('SIGCONT'));
    const child = startTsvmm([...resize(qmp, '1G'), '--timeout', '0.5']);
    expect(await ending(child)).toEqual({
      code: 6,
      stderr: 'tsvmm: vm0: not done after 0.5 s, the machine does not answer\n',
    });
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('ends with a machine that %s ends', async (signal) => {
    const { vm, qmp } = await boot();
    const child = startTsvmm(resize(qmp, '2G'));
    await asked(vm);
    vm.process.kill(signal);
    const { code, stderr } = await ending(child);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^tsvmm: [^\n]+\n$/);
  });
});
