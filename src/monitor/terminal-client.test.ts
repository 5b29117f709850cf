import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Stdio } from '../terminal/stdio.ts';
import { Pty } from '../terminal/testing/pty.ts';
import { Monitor } from './monitor.ts';
import { FakeMachine } from './testing/fake-machine.ts';

const BANNER = "tsvmm 0.1.0 monitor - type 'help' for more information";
const PROMPT = '(tsvmm) ';
const UP = '\x1b[A';
const LEFT = '\x1b[D';

let pty: Pty;
let machine: FakeMachine;
let stdio: Stdio;
let monitor: Monitor;
let interrupts: number;

async function start(serial: boolean): Promise<void> {
  stdio = new Stdio({
    serial,
    monitor: true,
    input: pty.input,
    output: pty.output,
    rawTerminal: () => pty.rawTerminal(),
    onQuit: () => undefined,
  });
  await monitor.serveEndpoint(stdio.monitor, { onInterrupt: () => (interrupts += 1) });
}

/** What a person sees: carriage returns of the terminal and of the monitor are one. */
async function shown(text: string): Promise<string> {
  return (await pty.shown(text)).replaceAll(/\r+\n/g, '\n');
}

/** Types a line. @returns the command's output */
async function command(keys: string): Promise<string> {
  pty.type(`${keys}\r`);
  await pty.shown('\n');
  return (await shown(PROMPT)).slice(0, -PROMPT.length).replaceAll(/\x1b\[\d*[A-Z]/g, '');
}

beforeEach(async () => {
  pty = await Pty.open();
  machine = new FakeMachine();
  monitor = new Monitor(machine);
  interrupts = 0;
});

afterEach(async () => {
  await monitor.close();
  await stdio.close();
  await pty.close();
});

describe('a monitor on a terminal', () => {
  beforeEach(async () => {
    await start(false);
    expect(await shown(PROMPT)).toContain(`${BANNER}\n`);
  });

  it('echoes what is typed, ends lines in carriage return and newline', async () => {
    pty.type('info st');
    await pty.shown('info st');
    pty.type('atus\r');
    await pty.shown('atus');
    expect(await pty.shown('running\r')).toMatch(/^\r+\nVM status: running\r$/);
  });

  it('edits: cursor, home, end, kill, delete', async () => {
    expect(await command(`fo status\x01in\x1b[C\x1b[C${LEFT}\x7ff\x1b[C\x1b[3~o `)).toContain(
      'unknown',
    );
    expect(await command(`version${LEFT.repeat(7)}info `)).toBe('0.1.0\n');
    expect(await command('versionxx\x01info \x05\x7f\x7f')).toBe('0.1.0\n');
    expect(await command('rubbish\x15info version tail\x17\x7f')).toBe('0.1.0\n');
    expect(await command(`info version tail${LEFT.repeat(5)}\x0b`)).toBe('0.1.0\n');
  });

  it('brings back earlier lines', async () => {
    await command('info version');
    await command('info status');
    expect(await command(UP + UP)).toBe('0.1.0\n');
    expect(await command('\x10')).toBe('0.1.0\n');
    expect(await command('info history')).toBe(
      "0: 'info status'\n1: 'info version'\n2: 'info history'\n",
    );
  });

  it('completes commands, subcommands, ids and properties with Tab', async () => {
    expect(await command('info vers\t')).toBe('0.1.0\n');
    expect(await command('qom-g\tvm1\treq\t')).toBe('1073741824\n');
    pty.type('info mem\t\t');
    const offered = await pty.shown('memslots');
    expect(offered).toContain('memory-devices');
  });

  it('refuses a line of 1 MiB with one line, and goes on', async () => {
    for (let i = 0; i < 256; i++) pty.type('x'.repeat(4096));
    pty.type('\r');
    expect(await shown(`ignored\r`)).toContain('Error: the line is longer than 4096 characters');
    await pty.shown(PROMPT);
    expect(await command('info version')).toBe('0.1.0\n');
  });

  it('is not ended by Ctrl-D or Ctrl-Z, nor confused by control keys', async () => {
    expect(await command('\x04\x1a\x00\x1c\x1dinfo version')).toContain("unknown command: '\\x1c");
    expect(await command('\x04info version\x1a')).toBe('0.1.0\n');
  });

  it('clears a line with Ctrl-C, and interrupts when there is none', async () => {
    pty.type('system_reset\x03');
    await pty.shown('^C');
    await pty.shown(PROMPT);
    expect(interrupts).toBe(0);
    expect(await command('info version')).toBe('0.1.0\n');
    pty.type('\x03');
    await pty.shown('^C');
    expect(interrupts).toBe(1);
    expect(machine.calls).toEqual([]);
  });

  it('keeps what is typed while a command runs, and then echoes and runs it', async () => {
    let stopped: () => void = () => undefined;
    machine.stopping = new Promise((resolve) => (stopped = resolve));
    pty.type('stop\rinfo status\rinfo vers');
    await pty.shown('stop');
    stopped();
    const screen = (await shown('VM status: paused')).replaceAll(/\x1b\[\d*[A-Z]/g, '');
    expect(screen).toBe('\n(tsvmm) info status\nVM status: paused');
    await pty.shown('info vers');
    expect(await command('ion')).toBe('0.1.0\n');
  });

  it('interrupts a command that does not come back', async () => {
    machine.stopping = new Promise(() => undefined);
    pty.type('stop\r');
    await pty.shown('\n');
    pty.type('\x03');
    while (interrupts === 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('edits lines of wide characters and those that wrap', async () => {
    const wide = `${'漢字'.repeat(30)}😀`;
    expect(await command(`${wide}x\x7f`)).toBe(`unknown command: '${wide}'\n`);
  });

  it('ends with quit, without another prompt', async () => {
    pty.type('quit\r');
    await pty.shown('quit\r');
    await stdio.close();
    expect(machine.calls).toEqual(['quit']);
  });
});

describe('a terminal shared with the serial console', () => {
  beforeEach(async () => {
    await start(true);
    stdio.serial.onData((bytes) => stdio.serial.write(bytes));
  });

  it('prompts when the monitor gets the keys, and keeps a line that is half typed', async () => {
    pty.type('guest\x01c');
    const screen = await shown(PROMPT);
    expect(screen).toContain(`guest\n${BANNER}\n`);
    pty.type('info ver');
    await pty.shown('info ver');
    pty.type('\x01cback\x01c');
    await pty.shown('back');
    const again = await shown('info ver');
    expect(again).toContain(PROMPT);
    expect(again).not.toContain(BANNER);
    pty.type('sion\r');
    await pty.shown('0.1.0');
  });

  it('sends Ctrl-A to the line editor when typed twice', async () => {
    pty.type('\x01c');
    await pty.shown(PROMPT);
    expect(await command('version\x01\x01info ')).toBe('0.1.0\n');
  });
});

describe('a monitor on pipes', () => {
  it('answers what was sent, with prompt and without echo', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    stdio = new Stdio({
      serial: false,
      monitor: true,
      input,
      output,
      rawTerminal: () => {
        throw new Error('not a terminal');
      },
      onQuit: () => undefined,
    });
    input.end('info version\nquit\n');
    await monitor.serveEndpoint(stdio.monitor);
    while (!machine.calls.includes('quit')) await new Promise((resolve) => setImmediate(resolve));
    await stdio.close();
    output.end();
    expect(await text(output)).toBe(`${BANNER}\n${PROMPT}0.1.0\n${PROMPT}`);
  });
});
