import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Child } from '../harness/child.ts';
import { bootWithPort } from '../harness/monitor-port.ts';
import { commandAt, RESTORED, runOnTerminal, startOnTerminal } from '../harness/terminal.ts';
import { bootAgent, startTsvmm, tempDir } from '../harness/test-vm.ts';
import { CLI } from '../harness/tsvmm.ts';
import type { Vm } from '../harness/vm.ts';

const PROMPT = '(tsvmm) ';
/** Of an interactive bash without settings. */
const SHELL_PROMPT = /bash[^\s]*[#$] $/;
/** The prompt at the begin of a line, behind what moves the cursor there. */
const NEXT_PROMPT = /\n(?:\x1b\[\d*[A-Z])*\(tsvmm\) /;

async function open(): Promise<{ vm: Vm; terminal: Child }> {
  const vm = await bootAgent({ virtioMem: ['size=1G'] });
  const terminal = startOnTerminal(['monitor', vm.monitorPath]);
  await terminal.stdout.expect(PROMPT);
  return { vm, terminal };
}

/** Types a line. @returns what was shown up to the next prompt */
async function command(terminal: Child, keys: string): Promise<string> {
  terminal.write(`${keys}\r`);
  return await terminal.stdout.expect(NEXT_PROMPT);
}

/** How it ended, and whether the terminal was put back. */
async function ending(terminal: Child): Promise<{ code: number | null; terminal: string }> {
  const { code } = await terminal.exited;
  return { code, terminal: terminal.stderr.transcript };
}

describe('tsvmm monitor in a script', () => {
  it('passes on what comes, and ends when all is answered', async () => {
    const vm = await bootAgent();
    const client = startTsvmm(['monitor', vm.monitorPath]);
    client.write('info status\ninfo version');
    client.endInput();
    expect(await client.exited).toEqual({ code: 0, signal: null });
    expect(client.stdout.transcript).toMatch(
      /^tsvmm .* monitor .*\n\(tsvmm\) VM status: running\n\(tsvmm\) \d\S+\n\(tsvmm\) $/,
    );
    expect(client.stderr.transcript).toBe('');
  });

  it('ends with the machine, although more could come', async () => {
    const vm = await bootAgent();
    const client = startTsvmm(['monitor', `unix:${vm.monitorPath}`]);
    await client.stdout.expect(PROMPT);
    client.write('quit\n');
    expect((await client.exited).code).toBe(0);
    expect((await vm.exited).code).toBe(0);
  });

  it('says in a line why there is no monitor', async () => {
    const temp = tempDir();
    writeFileSync(temp.file('file'), '');
    const vm = await bootAgent();
    await vm.monitor();
    vm.process.kill('SIGKILL');
    await vm.exited;
    for (const [path, why] of [
      [temp.file('nothing'), 'there is no such socket'],
      [temp.file('file'), 'not a socket'],
      [vm.monitorPath, 'nobody listens there any more: the process has ended'],
    ] as const) {
      const client = startTsvmm(['monitor', path]);
      expect((await client.exited).code).toBe(1);
      expect(client.stderr.transcript).toBe(`tsvmm: ${path}: ${why}\n`);
    }
  });

  it('comes to a port as well, and says why there is none', async () => {
    const { vm, port } = await bootWithPort();
    for (const where of [`tcp:${port}`, `tcp:127.0.0.1:${port}`]) {
      const client = startTsvmm(['monitor', where]);
      client.write('info status\n');
      client.endInput();
      expect((await client.exited).code).toBe(0);
      expect(client.stdout.transcript).toContain('(tsvmm) VM status: running\n(tsvmm) ');
    }
    const terminal = startOnTerminal(['monitor', `tcp:${port}`]);
    await terminal.stdout.expect(PROMPT);
    expect(await command(terminal, 'info na\t')).toContain('tsvmm');
    terminal.write('quit\r');
    expect((await terminal.exited).code).toBe(0);
    await vm.exited;
    for (const [where, code, why] of [
      [`tcp:${port}`, 1, 'nobody listens there'],
      ['tcp:70000', 2, 'a port is at most 65535'],
      ['tcp:', 2, 'must be unix:PATH, tcp:ADDR:PORT or tcp:PORT'],
    ] as const) {
      const client = startTsvmm(['monitor', where]);
      expect((await client.exited).code).toBe(code);
      expect(client.stderr.transcript).toMatch(/^tsvmm: [^\n]+\n$/);
      expect(client.stderr.transcript).toContain(`${where}: ${why}\n`);
    }
  });

  it('refuses what it does not take', async () => {
    for (const args of [[], ['a', 'b'], ['--wait', 'a']]) {
      const client = startTsvmm(['monitor', ...args]);
      expect((await client.exited).code).toBe(2);
      expect(client.stderr.transcript).toMatch(/^tsvmm: [^\n]+\n$/);
    }
  });
});

describe('tsvmm monitor at a terminal', () => {
  it('edits lines, completes what the machine knows, and remembers', async () => {
    const { terminal } = await open();
    expect(await command(terminal, 'info statusss\x7f\x7f')).toContain('VM status: running');
    // The keys after a Tab come before its answer.
    expect(await command(terminal, 'qom-g\tvm0\treq\t')).toMatch(/\n0\r/);
    expect(await command(terminal, '\x1b[A\x1b[A')).toContain('VM status: running');
    terminal.write('info mem\t\t');
    expect(await terminal.stdout.expect('memslots')).toContain('memory-devices');
    await terminal.stdout.expect('(tsvmm) info mem');
    terminal.write('\x15');
    expect(await command(terminal, 'info history')).toMatch(
      /0: 'qom-get vm0 requested-size'\r+\n1: 'info status'\r+\n2: 'info history'\r+\n/,
    );
    terminal.write('\x04');
    expect(await ending(terminal)).toEqual({ code: 0, terminal: RESTORED });
  });

  it('keeps what is pasted in order, a command a line', async () => {
    const { terminal } = await open();
    terminal.write('info status\rinfo version\rprint/d 6*7\r');
    const text = await terminal.stdout.expect('\n42\r');
    expect(text).toMatch(/VM status: running[^]*info version[^]*print\/d 6\*7/);
  });

  it('draws as wide as the terminal', async () => {
    const { terminal } = await open();
    // 160 columns have room for 128 cells, 80 have not.
    const text = await command(terminal, 'info memory-map vm0');
    expect(text).toMatch(/^0x100000000 \|.{128}\|?\r$/m);
    expect(await command(terminal, 'terminal-width 60')).not.toContain('Error');
    expect(await command(terminal, 'info memory-map vm0')).toMatch(/^0x100000000 \|.{32}\|?\r$/m);
  });

  it('clears a line with Ctrl-C, and ends with another; the machine goes on', async () => {
    const { vm, terminal } = await open();
    terminal.write('quit\x03');
    await terminal.stdout.expect('^C');
    await terminal.stdout.expect(PROMPT);
    terminal.write('\x03');
    expect(await ending(terminal)).toEqual({ code: 130, terminal: RESTORED });
    expect(await vm.agent.ok('info')).toContain('memory');
  });

  it.each(['info status\r', 'info stat\t'])(
    'leaves a monitor that does not answer to %j with Ctrl-C',
    async (keys) => {
      const { vm, terminal } = await open();
      vm.process.kill('SIGSTOP');
      terminal.write(keys);
      await terminal.stdout.expect('info stat');
      terminal.write('\x03');
      expect(await ending(terminal)).toEqual({ code: 130, terminal: RESTORED });
      vm.process.kill('SIGCONT');
    },
  );

  it('goes back to the shell with Ctrl-Z, and comes again', async () => {
    const vm = await bootAgent();
    await vm.monitor();
    const shell = runOnTerminal(['bash', '--norc', '--noprofile', '-i']);
    await shell.stdout.expect(SHELL_PROMPT);
    shell.write(`'${process.execPath}' '${CLI}' monitor '${vm.monitorPath}'\r`);
    await shell.stdout.expect(PROMPT);
    shell.write('info stat\x1a');
    await shell.stdout.expect('Stopped');
    await shell.stdout.expect(SHELL_PROMPT);
    // The shell has its terminal as before: it takes whole lines, and echoes them.
    shell.write("stty -a < /dev/tty | grep -o -- '-*icanon'\r");
    await shell.stdout.expect(/^icanon\r/m);
    await shell.stdout.expect(SHELL_PROMPT);
    shell.write('fg\r');
    await shell.stdout.expect('(tsvmm) info stat');
    shell.write('us\r');
    await shell.stdout.expect('VM status: running');
    await shell.stdout.expect(NEXT_PROMPT);
    shell.write('\x04');
    await shell.stdout.expect(SHELL_PROMPT);
    shell.write('exit 7\r');
    expect((await shell.exited).code).toBe(7);
  });

  it('goes on after Ctrl-Z where there is no shell', async () => {
    const { terminal } = await open();
    terminal.write('info stat\x1a');
    terminal.write('us\r');
    expect(await terminal.stdout.expect('VM status: running')).not.toContain('Error');
    await terminal.stdout.expect(NEXT_PROMPT);
    terminal.write('\x04');
    expect(await ending(terminal)).toEqual({ code: 0, terminal: RESTORED });
  });

  it('says that the machine has ended, by quit or otherwise', async () => {
    const asked = await open();
    asked.terminal.write('quit\r');
    expect(await ending(asked.terminal)).toEqual({ code: 0, terminal: RESTORED });
    expect(asked.terminal.stdout.transcript).toMatch(
      /quit\r+\ntsvmm: .*closed the connection\r+\n$/,
    );
    const killed = await open();
    killed.terminal.write('info sta');
    await killed.terminal.stdout.expect('info sta');
    killed.vm.process.kill('SIGKILL');
    expect(await ending(killed.terminal)).toEqual({ code: 0, terminal: RESTORED });
    expect(killed.terminal.stdout.transcript).toMatch(
      /info sta\r+\ntsvmm: .*closed the connection\r+\n$/,
    );
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('puts the terminal back after %s', async (signal) => {
    const { terminal } = await open();
    process.kill(commandAt(terminal), signal);
    expect(await ending(terminal)).toEqual({
      code: signal === 'SIGTERM' ? 143 : 129,
      terminal: RESTORED,
    });
  });

  it('says who answers there when it is no monitor', async () => {
    const temp = tempDir();
    const qmp = temp.file('qmp.sock');
    await bootAgent({ args: ['--qmp', `unix:${qmp}`] });
    const terminal = startOnTerminal(['monitor', qmp]);
    expect(await ending(terminal)).toEqual({ code: 1, terminal: RESTORED });
    expect(terminal.stdout.transcript).toMatch(
      /^tsvmm: .*no monitor answers there: it says \{"QMP"/,
    );
  });
});
