import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_LIMIT } from '../terminal/listener.ts';
import { temporaryFolder } from '../terminal/testing/temporary-folder.ts';
import { UnixListener } from '../terminal/unix-listener.ts';
import { Monitor } from './monitor.ts';
import { parsePrompt } from './prompt.ts';
import { FakeMachine } from './testing/fake-machine.ts';

const BANNER = "tsvmm 0.1.0 monitor - type 'help' for more information\n";
const PROMPT = '(tsvmm) ';

let path: string;
let machine: FakeMachine;
let monitor: Monitor;
let clients: Client[];

/** A program at the other end of the socket. */
class Client {
  readonly socket: Socket;
  #text = '';
  #ended = false;
  #arrived: () => void = () => undefined;

  constructor() {
    this.socket = connect({ path, allowHalfOpen: true });
    clients.push(this);
    this.socket.on('data', (bytes) => {
      this.#text += bytes.toString();
      this.#arrived();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('end', () => {
      this.#ended = true;
      this.#arrived();
    });
  }

  /** What came up to the end of `text`. */
  async until(text: string): Promise<string> {
    while (!this.#text.includes(text)) {
      if (this.#ended) throw new Error(`the monitor hung up after: ${this.#text}`);
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
    const end = this.#text.indexOf(text) + text.length;
    const got = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    return got;
  }

  async untilEnd(): Promise<string> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#arrived = resolve));
    return this.#text;
  }

  /** Sends a command. @returns its output */
  async command(line: string): Promise<string> {
    this.socket.write(`${line}\n`);
    return (await this.until(PROMPT)).slice(0, -PROMPT.length);
  }

  static async greeted(): Promise<Client> {
    const client = new Client();
    await client.until(PROMPT);
    return client;
  }
}

beforeEach(async () => {
  path = join(temporaryFolder(), 'mon.sock');
  clients = [];
  machine = new FakeMachine();
  monitor = new Monitor(machine);
  monitor.serveSocket(await UnixListener.open(path, '--monitor'));
});

afterEach(async () => {
  for (const client of clients) client.socket.destroy();
  await monitor.close();
});

describe('a monitor on a socket', () => {
  it('greets, prompts, and answers without echo or carriage returns', async () => {
    const client = new Client();
    client.socket.write('info status\nstop\r\n\ninfo status\nnonsense\n');
    client.socket.end();
    expect(await client.untilEnd()).toBe(
      `${BANNER}${PROMPT}VM status: running\n${PROMPT}${PROMPT}${PROMPT}VM status: paused\n` +
        `${PROMPT}unknown command: 'nonsense'\n${PROMPT}`,
    );
  });

  it('serves socat in a shell pipeline: everything sent is answered before it hangs up', async () => {
    const script = 'printf "info version\\nqom-get vm1 node" | socat -t30 - "unix-connect:$1"';
    const { stdout } = await promisify(execFile)('sh', ['-c', script, 'sh', path]);
    expect(stdout).toBe(`${BANNER}${PROMPT}0.1.0\n${PROMPT}0\n${PROMPT}`);
  });

  it('answers after a half-close although the command takes its time', async () => {
    let stopped: () => void = () => undefined;
    machine.stopping = new Promise((resolve) => (stopped = resolve));
    const client = await Client.greeted();
    client.socket.end('stop\ninfo status\n');
    const other = await Client.greeted();
    expect(await other.command('info status')).toBe('VM status: running\n');
    stopped();
    expect(await client.untilEnd()).toBe(`${PROMPT}VM status: paused\n${PROMPT}`);
  });

  it('runs the commands of a client in order, and does not make others wait', async () => {
    let stopped: () => void = () => undefined;
    machine.stopping = new Promise((resolve) => (stopped = resolve));
    const slow = await Client.greeted();
    slow.socket.write('stop\nsystem_reset\n');
    const quick = await Client.greeted();
    await quick.command('cont');
    expect(machine.calls).toEqual(['stop', 'cont']);
    stopped();
    await slow.until(PROMPT + PROMPT);
    expect(machine.calls).toEqual(['stop', 'cont', 'reset']);
  });

  it('keeps a history for each client', async () => {
    const [a, b] = [await Client.greeted(), await Client.greeted()];
    await a.command('info version');
    expect(await b.command('info history')).toBe("0: 'info history'\n");
    expect(await a.command('info history')).toBe("0: 'info version'\n1: 'info history'\n");
  });

  it('refuses a line of 1 MiB with one line, and goes on', async () => {
    const client = await Client.greeted();
    expect(await client.command('x'.repeat(1024 * 1024))).toBe(
      'Error: the line is longer than 65536 bytes and was ignored\n',
    );
    expect(await client.command('info version')).toBe('0.1.0\n');
  });

  it('survives bytes that mean nothing', async () => {
    const client = await Client.greeted();
    client.socket.write(Buffer.from([0x00, 0xff, 0x1b, 0x5b, 0x41, 0xfe, 0x0a]));
    expect(await client.until(PROMPT)).toBe(
      `unknown command: '\\x00\ufffd\\x1b[A\ufffd'\n${PROMPT}`,
    );
    expect(await client.command('info version')).toBe('0.1.0\n');
  });

  it('hangs up after quit, and runs nothing that was sent behind it', async () => {
    const client = await Client.greeted();
    client.socket.write('quit\nsystem_reset\n');
    expect(await client.untilEnd()).toBe('');
    expect(machine.calls).toEqual(['quit']);
  });
});

describe('a monitor for clients of the established one', () => {
  beforeEach(async () => {
    await monitor.close();
    monitor = new Monitor(machine, parsePrompt('qemu'));
    monitor.serveSocket(await UnixListener.open(path, '--monitor'));
  });

  it('echoes each line, with carriage returns', async () => {
    const client = new Client();
    client.socket.write('info status\n\ninfo status\r\na\x07b');
    client.socket.end();
    const status = '(qemu) info status\r\nVM status: running\r\n';
    expect(await client.untilEnd()).toBe(
      `${BANNER.replace('\n', '\r\n')}${status}(qemu) \r\n${status}` +
        "(qemu) a\\x07b\r\nunknown command: 'a\\x07b'\r\n(qemu) ",
    );
  });

  it('echoes before a command that takes its time has ended', async () => {
    let stopped: () => void = () => undefined;
    machine.stopping = new Promise((resolve) => (stopped = resolve));
    const client = new Client();
    client.socket.write('stop\n');
    await client.until('(qemu) stop\r\n');
    stopped();
    expect(await client.until('(qemu) ')).toBe('(qemu) ');
  });

  it('does not echo a line that it does not take', async () => {
    const client = new Client();
    client.socket.write(`${'x'.repeat(100_000)}\n`);
    await client.until('(qemu) ');
    expect(await client.until('(qemu) ')).toMatch(/^Error: the line is longer .*\r\n\(qemu\) $/);
  });
});

describe('a client that misbehaves', () => {
  it('may vanish while its command runs', async () => {
    let stopped: () => void = () => undefined;
    machine.stopping = new Promise((resolve) => (stopped = resolve));
    const client = await Client.greeted();
    client.socket.write('stop\ninfo mtree\n');
    const other = await Client.greeted();
    client.socket.destroy();
    stopped();
    while ((await other.command('info status')) !== 'VM status: paused\n');
    expect(await other.command('info version')).toBe('0.1.0\n');
  });

  it('gets nothing more run until it reads, and all of it once it does', async () => {
    const client = await Client.greeted();
    // Another client's answers tell that the loop has had its turns.
    const other = await Client.greeted();
    let answered = 0;
    Object.defineProperty(machine, 'version', {
      get: () => {
        answered += 1;
        return 'x'.repeat(10_000);
      },
    });
    client.socket.pause();
    const total = 2000;
    client.socket.write('info version\n'.repeat(total));
    let before = -1;
    while (answered !== before) {
      before = answered;
      for (let i = 0; i < 20; i++) await other.command('info status');
    }
    expect(answered).toBeLessThan(200);
    client.socket.resume();
    for (let i = 0; i < total; i++) {
      expect(await client.until(PROMPT)).toHaveLength(10_001 + PROMPT.length);
    }
    expect(answered).toBe(total);
  });

  it('that never reads does not keep the monitor from closing', async () => {
    const client = await Client.greeted();
    client.socket.pause();
    client.socket.write('help\n'.repeat(10_000));
    const other = await Client.greeted();
    await other.command('info status');
    await monitor.close();
    expect(existsSync(path)).toBe(false);
  });

  it('cannot crowd out the machine: the clients are counted', async () => {
    for (let i = 0; i < CLIENT_LIMIT; i++) await Client.greeted();
    const last = new Client();
    expect(await last.untilEnd()).toBe(
      `Error: ${CLIENT_LIMIT} clients are connected to this monitor already\n`,
    );
    clients[0]!.socket.destroy();
    for (;;) {
      const again = new Client();
      const first = await Promise.race([again.untilEnd(), again.until(PROMPT)]).catch(() => '');
      if (first.startsWith(BANNER)) break;
    }
  });
});

it('tells its clients goodbye and removes the socket when it closes', async () => {
  const client = await Client.greeted();
  await monitor.close();
  expect(await client.untilEnd()).toBe('');
  expect(existsSync(path)).toBe(false);
  const late = connect(path);
  expect(await once(late, 'error')).toMatchObject([{ code: 'ENOENT' }]);
});
