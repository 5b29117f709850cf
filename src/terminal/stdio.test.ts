import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { Stdio, type StdioOptions } from './stdio.ts';
import { Pty } from './testing/pty.ts';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

interface Terminal {
  readonly pty: Pty;
  readonly stdio: Stdio;
  /** What the guest got. */
  readonly guest: () => string;
  /** What the monitor got. */
  readonly monitor: () => string;
  readonly calls: string[];
}

async function onTerminal(sides: Pick<StdioOptions, 'serial' | 'monitor'>): Promise<Terminal> {
  const pty = await Pty.open();
  open.push(pty);
  const calls: string[] = [];
  const stdio = new Stdio({
    ...sides,
    input: pty.input,
    output: pty.output,
    rawTerminal: () => {
      calls.push('raw');
      const raw = pty.rawTerminal();
      return {
        restore: () => {
          calls.push('restored');
          raw.restore();
        },
      };
    },
    onQuit: () => calls.push('quit'),
  });
  open.push(stdio);
  let guest = '';
  let monitor = '';
  stdio.serial.onData((bytes) => {
    guest += Buffer.from(bytes).toString();
    stdio.serial.write(Buffer.from('!'));
  });
  stdio.monitor.onInput((bytes) => {
    monitor += Buffer.from(bytes).toString();
    stdio.monitor.write('?');
  });
  return { pty, stdio, calls, guest: () => guest, monitor: () => monitor };
}

function onPipe(sides: Pick<StdioOptions, 'serial' | 'monitor'>): {
  stdio: Stdio;
  input: PassThrough;
  output: PassThrough;
  calls: string[];
} {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const calls: string[] = [];
  const stdio = new Stdio({
    ...sides,
    input,
    output,
    rawTerminal: () => {
      calls.push('raw');
      return { restore: () => undefined };
    },
    onQuit: () => calls.push('quit'),
  });
  open.push(stdio);
  return { stdio, input, output, calls };
}

describe('a terminal shared by serial port and monitor', () => {
  it('sends keys to the guest first, and to the monitor after Ctrl-A C', async () => {
    const { pty, guest, monitor } = await onTerminal({ serial: true, monitor: true });
    pty.type('\x03ls\r');
    await pty.shown('!');
    pty.type('\x01cinfo');
    await pty.shown('?');
    pty.type('\x01c\x01\x01');
    await pty.shown('!');
    expect(guest()).toBe('\x03ls\r\x01');
    expect(monitor()).toBe('info');
  });

  it('shows the output of both, whoever has the keys', async () => {
    const { pty, stdio } = await onTerminal({ serial: true, monitor: true });
    stdio.serial.write(Buffer.from('guest says\r\n'));
    stdio.monitor.write('monitor says\r\n');
    await pty.shown('guest says');
    await pty.shown('monitor says');
  });

  it('lists the keys with Ctrl-A H and quits with Ctrl-A X', async () => {
    const { pty, calls, guest } = await onTerminal({ serial: true, monitor: true });
    pty.type('\x01h');
    const help = await pty.shown('send Ctrl-A\r');
    for (const key of ['Ctrl-A C ', 'Ctrl-A X ', 'Ctrl-A H ']) expect(help).toContain(key);
    pty.type('\x01xa');
    await pty.shown('!');
    expect(calls).toEqual(['raw', 'quit']);
    expect(guest()).toBe('a');
  });

  it('sees Ctrl-A X although the guest reads nothing and much was typed', async () => {
    const { pty, stdio, calls } = await onTerminal({ serial: true, monitor: true });
    stdio.serial.pauseInput();
    for (let i = 0; i < 50; i++) pty.type('x'.repeat(4000));
    pty.type('\x01x\x01h');
    await pty.shown('Ctrl-A X');
    expect(calls).toContain('quit');
  });

  it('says so when there is no monitor to switch to', async () => {
    const { pty, guest } = await onTerminal({ serial: true, monitor: false });
    pty.type('\x01c');
    await pty.shown('There is no monitor on this terminal');
    pty.type('a');
    await pty.shown('!');
    expect(guest()).toBe('a');
  });
});

describe('a terminal', () => {
  it('is restored when stdio closes, with the cursor on a line of its own', async () => {
    const { pty, stdio, calls } = await onTerminal({ serial: true, monitor: false });
    expect(calls).toEqual(['raw']);
    stdio.serial.write(Buffer.from('login: '));
    await stdio.close();
    await pty.shown('login: \r');
    expect(calls).toContain('restored');
    pty.type('echo');
    await pty.shown('echo');
  });

  it('is restored when the process ends without closing', async () => {
    const before = new Set(process.listeners('exit'));
    const { calls } = await onTerminal({ serial: true, monitor: false });
    for (const hook of process.listeners('exit')) if (!before.has(hook)) hook(0);
    expect(calls).toEqual(['raw', 'restored']);
  });

  it('does not stop the process when it stands still: the guest is held back', async () => {
    const { pty, stdio } = await onTerminal({ serial: true, monitor: false });
    stdio.serial.write(Buffer.from('begin'));
    await pty.shown('begin');
    pty.standStill();
    await new Promise<void>((resolve) => {
      const write = (): void => {
        // Every turn of the loop is proof that it is not blocked.
        if (stdio.serial.write(Buffer.alloc(8192, 'x'))) setImmediate(write);
        else resolve();
      };
      write();
    });
    const drained = new Promise<void>((resolve) => stdio.serial.onDrain(resolve));
    pty.goOn();
    await drained;
    stdio.serial.write(Buffer.from('the end'));
    await pty.shown('the end');
  });

  it('with only a monitor knows no escapes: Ctrl-A is for the line editor', async () => {
    const { pty, monitor, calls } = await onTerminal({ serial: false, monitor: true });
    pty.type('\x01x');
    await pty.shown('?');
    expect(monitor()).toBe('\x01x');
    expect(calls).toEqual(['raw']);
  });
});

describe('standard input and output that are not a terminal', () => {
  it('carry every byte of a serial port that is alone', async () => {
    const { stdio, input, output, calls } = onPipe({ serial: true, monitor: false });
    const got = new Promise<string>((resolve) =>
      stdio.serial.onData((bytes) => resolve(Buffer.from(bytes).toString('latin1'))),
    );
    input.write(Buffer.from('\x01x\x01c\x00\xff', 'latin1'));
    expect(await got).toBe('\x01x\x01c\x00\xff');
    stdio.serial.write(Buffer.from('out'));
    expect(String(output.read())).toBe('out');
    await stdio.close();
    expect(output.read()).toBeNull();
    expect(calls).toEqual([]);
  });

  it('know the escapes when both sides are there', async () => {
    const { stdio, input, calls } = onPipe({ serial: true, monitor: true });
    let guest = '';
    stdio.serial.onData((bytes) => (guest += Buffer.from(bytes).toString()));
    const monitor = new Promise<string>((resolve) =>
      stdio.monitor.onInput((bytes) => resolve(Buffer.from(bytes).toString())),
    );
    input.write('boot\x01cstop\n');
    expect(await monitor).toBe('stop\n');
    input.write('\x01x');
    await new Promise((resolve) => setImmediate(resolve));
    expect(guest).toBe('boot');
    expect(calls).toEqual(['quit']);
  });

  it('wait with input for a guest that does not read, and lose none', async () => {
    const { stdio, input } = onPipe({ serial: true, monitor: false });
    let guest = 0;
    stdio.serial.pauseInput();
    stdio.serial.onData((bytes) => (guest += bytes.length));
    input.end(Buffer.alloc(1_000_000));
    await new Promise((resolve) => setImmediate(resolve));
    stdio.serial.resumeInput();
    while (guest < 1_000_000) await new Promise((resolve) => setImmediate(resolve));
    expect(guest).toBe(1_000_000);
  });

  it('tell the monitor of the end of input after the last of it', async () => {
    const { stdio, input } = onPipe({ serial: false, monitor: true });
    const seen: string[] = [];
    const ended = new Promise<void>((resolve) =>
      stdio.monitor.onEnd(() => {
        seen.push('end');
        resolve();
      }),
    );
    stdio.monitor.onInput((bytes) => seen.push(Buffer.from(bytes).toString()));
    input.end('info status\n');
    await ended;
    expect(seen).toEqual(['info status\n', 'end']);
  });
});
