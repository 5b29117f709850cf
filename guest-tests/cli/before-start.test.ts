import { describe, expect, it } from 'vitest';
import { MIB } from '../harness/sizes.ts';
import { guestPath } from '../harness/guests.ts';
import { Monitor, PROMPTS } from '../harness/monitor.ts';
import { commandAt, RESTORED, startOnTerminal } from '../harness/terminal.ts';
import { startTsvmm, tempDir } from '../harness/test-vm.ts';
import type { Child } from '../harness/child.ts';
import type { TempDir } from '../harness/temp-dir.ts';

const BOOT = ['run', '--kernel', guestPath('agent')];
/** Takes long enough for a test to say something meanwhile, and must not take all of it. */
const PREALLOC = ['--memory-backend', 'ram,id=r,size=3G,prealloc=on', '--memory', 'memdev=r'];

/** A machine whose monitor is standard input, and what it is told before it can run. */
function told(lines: string, ...args: readonly string[]): Child {
  const quiet = ['--log-level', 'warn'];
  const child = startTsvmm([
    ...[...BOOT, ...quiet, '--monitor', 'stdio', '--serial', 'none'],
    ...args,
  ]);
  child.write(lines);
  return child;
}

interface Starting {
  readonly child: Child;
  readonly monitor: Monitor;
  readonly temp: TempDir;
}

/** A machine that is about to preallocate, or at it. */
async function starting(...args: readonly string[]): Promise<Starting> {
  const temp = tempDir();
  const path = temp.file('monitor');
  const child = startTsvmm([
    ...[...BOOT, ...PREALLOC, '--monitor', `unix:${path}`, '--qmp', `unix:${temp.file('qmp')}`],
    ...args,
  ]);
  const monitor = await Monitor.open(path, () => child.describe(), PROMPTS.tsvmm);
  expect(await monitor.command('info status')).toBe('VM status: paused (prelaunch)\n');
  return { child, monitor, temp };
}

describe('what a monitor says before the machine runs', () => {
  it.each([
    'quit\n',
    'info status\nquit\n',
    'stop\nquit\n',
    'cont\nquit\n',
    'system_reset\nquit\n',
  ])('is obeyed: %j', async (lines) => {
    const child = told(lines);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.stderr.transcript).toBe('');
    expect(child.stdout.transcript).not.toContain('Error');
  });

  it('has it begin paused, until it may go on', async () => {
    const child = told('stop\ninfo status\n');
    const status = await child.stdout.expect(/VM status: .*\n/);
    expect(status).toMatch(/VM status: paused( \(prelaunch\))?\n$/);
    child.write('cont\ninfo status\n');
    await child.stdout.expect('VM status: running\n');
    child.write('quit\n');
    expect((await child.exited).code).toBe(0);
  });

  it.each(['cont\n', 'stop\ncont\n', 'system_reset\n', 'system_reset\nstop\ncont\n'])(
    'leaves it running: %j',
    async (lines) => {
      const child = told(lines, '--append', 'poweroff');
      expect(await child.exited).toEqual({ code: 0, signal: null });
      expect(child.stderr.transcript).toBe('');
    },
  );
});

describe('while memory is preallocated', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s ends it, and leaves nothing',
    async (it) => {
      const { child, temp } = await starting('--serial', `unix:${tempDir().file('serial')}`);
      child.kill(it);
      expect(await child.exited).toEqual({ code: 0, signal: null });
      expect(temp.list()).toEqual([]);
      expect(child.stderr.transcript).toBe('');
    },
  );

  it('quit ends it, and a new file is not left', async () => {
    const temp = tempDir();
    const { child, monitor } = await starting(
      ...['--memory-backend', `file,id=f,mem-path=${temp.file('new')},size=64M,share=on`],
      ...['--virtio-mem', 'memdev=f'],
    );
    monitor.client.write('quit\n');
    expect((await child.exited).code).toBe(0);
    expect(temp.list()).toEqual([]);
  });

  it('stop has it begin paused', async () => {
    const { child, monitor } = await starting();
    expect(await monitor.command('stop')).toBe('');
    await expect
      .poll(() => monitor.command('info status'), { timeout: 120_000 })
      .toBe('VM status: paused\n');
    expect(await monitor.command('info memory_size_summary')).toContain(String(3072 * MIB));
    expect(await monitor.command('cont')).toBe('');
    await child.stdout.expect('agent ready');
  });

  it.each([
    ['Ctrl-A X', (terminal: Child) => terminal.write('\x01x')],
    ['SIGTERM', (terminal: Child) => process.kill(commandAt(terminal), 'SIGTERM')],
    ['SIGHUP', (terminal: Child) => process.kill(commandAt(terminal), 'SIGHUP')],
  ])('%s at a terminal ends it, and puts the terminal back', async (_what, end) => {
    const path = tempDir().file('monitor');
    const terminal = startOnTerminal([...BOOT, ...PREALLOC, '--monitor', `unix:${path}`]);
    const monitor = await Monitor.open(path, () => terminal.describe(), PROMPTS.tsvmm);
    expect(await monitor.command('info status')).toBe('VM status: paused (prelaunch)\n');
    end(terminal);
    expect((await terminal.exited).code).toBe(0);
    expect(terminal.stderr.transcript).toBe(RESTORED);
  });

  it('keys at a terminal reach the monitor there', async () => {
    const terminal = startOnTerminal([...BOOT, ...PREALLOC]);
    terminal.write('\x01c');
    await terminal.stdout.expect('(tsvmm) ');
    terminal.write('info status\r');
    await terminal.stdout.expect('VM status: paused (prelaunch)');
    terminal.write('quit\r');
    expect((await terminal.exited).code).toBe(0);
    expect(terminal.stderr.transcript).toBe(RESTORED);
  });
});
