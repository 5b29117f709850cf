import { describe, expect, it } from 'vitest';
import { Child } from '../harness/child.ts';
import { cpuTimeMs } from '../harness/host.ts';
import { bootAgent, startTsvmm, startVm, tempDir } from '../harness/test-vm.ts';
import { CLI } from '../harness/tsvmm.ts';

describe('tsvmm', () => {
  it('--version prints the version', async () => {
    const child = startTsvmm(['--version']);
    expect((await child.exited).code).toBe(0);
    expect(child.stdout.transcript).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([[['--help']], [['run', '--help']], [['help', 'run']]])('%j explains', async (args) => {
    const child = startTsvmm(args);
    expect((await child.exited).code).toBe(0);
    expect(child.stdout.transcript).toContain('Usage: tsvmm');
    expect(child.stderr.transcript).toBe('');
  });

  it('run --help names every option', async () => {
    const child = startTsvmm(['run', '--help']);
    await child.exited;
    const options = ['--kernel', '--initrd', '--append', '--memory', '--cpus', '--virtio-mem'];
    for (const option of [...options, '--serial', '--monitor', '--no-reboot', '--log-level']) {
      expect(child.stdout.transcript).toContain(option);
    }
  });

  it('doctor reports on KVM', async () => {
    const child = startTsvmm(['doctor']);
    const { code } = await child.exited;
    expect([0, 1]).toContain(code);
    expect(child.stdout.transcript).toMatch(/kvm/i);
    expect(child.stdout.transcript).toMatch(/memslot|slots/i);
  });
});

describe('output that cannot be written', () => {
  /** Runs the command with a full device as its standard output. */
  async function run(...args: readonly string[]): Promise<Child> {
    const child = new Child('sh', [
      '-c',
      'exec "$@" >/dev/full',
      'sh',
      process.execPath,
      CLI,
      ...args,
    ]);
    await child.exited;
    return child;
  }

  it.each([
    [['--version']],
    [['--help']],
    [['run', '--help']],
    [['help', 'plan']],
    [['doctor']],
    [['plan', '--virtio-mem', 'size=1G']],
    [['plan', '--json']],
  ])('of %j is told by a line and the exit code', async (args) => {
    const child = await run(...args);
    expect(child.stderr.transcript).toBe(
      'tsvmm: standard output: ENOSPC: no space left on device, write\n',
    );
    expect((await child.exited).code).toBe(1);
  });

  it('of ctl and of monitor is told likewise', async () => {
    const dir = tempDir();
    const [qmp, monitor] = [dir.file('qmp'), dir.file('monitor')];
    await bootAgent({ args: ['--qmp', `unix:${qmp}`, '--monitor', `unix:${monitor}`] });
    const status = 'echo info status | exec "$@" >/dev/full';
    const piped = new Child('sh', ['-c', status, 'sh', process.execPath, CLI, 'monitor', monitor]);
    for (const child of [
      await run('ctl', qmp, 'status'),
      await run('ctl', qmp, 'hmp', 'help'),
      piped,
    ]) {
      expect((await child.exited).code).toBe(1);
      expect(child.stderr.transcript).toMatch(/^tsvmm: standard output: ENOSPC[^\n]*\n$/);
    }
  });
});

describe('logs', () => {
  it('go to stderr and never into the serial output', async () => {
    const vm = startVm({ guest: 'hello', args: ['--log-level', 'trace'] });
    await vm.exited;
    expect(vm.serial.transcript).toBe('hello\n');
  });

  it('are silent about a machine that works', async () => {
    const vm = startVm({ guest: 'hello', args: ['--log-level', 'warn'] });
    await vm.exited;
    expect(vm.process.stderr.transcript).toBe('');
  });

  it('of a hostile guest are bounded', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    for (let round = 0; round < 30; round++) {
      await vm.agent.initMem();
      await vm.agent.ok('avail-idx 999');
      await vm.agent.ok('kick 100');
      await vm.agent.ok('wait-status 64');
    }
    const lines = vm.process.stderr.transcript.split('\n').length;
    expect(lines).toBeLessThan(40);
  });
});

describe('a reader that has seen enough', () => {
  it.each([['run', '--help'], ['plan'], ['--version']])('ends no command: %s', async (...args) => {
    const script = 'set -o pipefail; "$@" | true';
    const child = new Child('bash', ['-c', script, 'bash', process.execPath, CLI, ...args]);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.stderr.transcript).toBe('');
  });
});

describe('an idle machine', () => {
  it('takes next to no CPU time', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1T,requested-size=1G,dynamic-memslots=on'] });
    await vm.agent.initMem();
    await vm.agent.ok('sync');
    const share = async () => {
      const start = { cpu: cpuTimeMs(vm.pid), at: performance.now() };
      // Idling is the subject: nothing happens that could be waited for.
      await new Promise((resolve) => setTimeout(resolve, 3000));
      return (cpuTimeMs(vm.pid) - start.cpu) / (performance.now() - start.at);
    };
    // The best of several: garbage collection and such may fall into one of them.
    const shares = [await share(), await share(), await share()];
    expect(Math.min(...shares)).toBeLessThan(0.02);
  });
});
