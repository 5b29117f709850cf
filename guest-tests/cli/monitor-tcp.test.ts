import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { SocketClient } from '../harness/client.ts';
import { guestPath } from '../harness/guests.ts';
import { bootWithPort, dial } from '../harness/monitor-port.ts';
import { startTsvmm } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const PROMPT = '(tsvmm) ';

/** Sends a line. @returns what comes up to the next prompt */
async function ask(client: SocketClient, text: string): Promise<string> {
  client.write(text);
  return (await client.text.expect(PROMPT)).slice(0, -PROMPT.length);
}

async function greeted(vm: Vm, port: number): Promise<SocketClient> {
  const client = await dial(vm, port);
  await client.text.expect(PROMPT);
  return client;
}

describe('a page in a browser', () => {
  it('cannot have the monitor run the lines that it posts', async () => {
    const { vm, port } = await bootWithPort();
    const client = await greeted(vm, port);
    expect(await ask(client, 'info status\n')).toBe('VM status: running\n');
    const post = request({ port, host: '127.0.0.1', method: 'POST', path: '/' });
    const failed = new Promise<Error>((resolve) => post.once('error', resolve));
    post.end('\nstop\nquit\n');
    // It is no answer of HTTP that it gets.
    expect(await failed).toBeInstanceOf(Error);
    await vm.process.stderr.expect('"what":"an HTTP request"');
    expect(await ask(client, 'info status\n')).toBe('VM status: running\n');
  });

  it.each([
    ['a request', 'GET /x HTTP/1.1\r\nstop\r\n'],
    ['one whose address has no end', `GET /${'x'.repeat(70_000)} HTTP/1.1\r\nstop\r\n`],
    ['a request without a newline', 'PUT / HTTP/1.1'],
    ['a TLS handshake', '\x16\x03\x01\nstop\n'],
  ])('is hung up on for %s', async (_, text) => {
    const { vm, port } = await bootWithPort();
    const client = await greeted(vm, port);
    client.write(text);
    client.end();
    await client.text.rest();
    await vm.process.stderr.expect('hung up on a client');
    const other = await greeted(vm, port);
    expect(await ask(other, 'info status\n')).toBe('VM status: running\n');
    const lines = vm.process.stderr.transcript.match(/hung up on a client/g);
    expect(lines).toHaveLength(1);
  });

  it('does not fill the log, however often it tries', async () => {
    const { vm, port } = await bootWithPort();
    for (let i = 0; i < 60; i++) {
      const client = await greeted(vm, port);
      client.write('GET / HTTP/1.1\r\n\r\n');
      await client.text.rest();
    }
    const client = await greeted(vm, port);
    client.write('quit\n');
    await vm.exited;
    const lines = vm.process.stderr.transcript
      .split('\n')
      .filter((it) => it.includes('hung up on'));
    const left = lines.map((it) => Number(/"suppressed":(\d+)/.exec(it)?.[1] ?? 0));
    expect(left.length + left.reduce((sum, it) => sum + it, 0)).toBe(60);
    expect(left.length).toBeLessThan(60);
  });
});

describe('telnet', () => {
  it('may negotiate, and end lines as it likes', async () => {
    const { vm, port } = await bootWithPort();
    const client = await greeted(vm, port);
    const options = Buffer.from([255, 251, 31, 255, 253, 3, 255, 250, 31, 0, 80, 0, 10, 255, 240]);
    client.write(Buffer.concat([options, Buffer.from('info sta')]));
    client.write(Buffer.concat([options, Buffer.from('tus\r')]));
    expect(await client.text.expect(PROMPT)).toBe(`VM status: running\n${PROMPT}`);
    expect(await ask(client, '\0info name\r\n')).toBe('tsvmm\n');
    expect(await ask(client, 'info history\n')).toBe(
      "0: 'info status'\n1: 'info name'\n2: 'info history'\n",
    );
  });
});

describe('a reader made for the established monitor', () => {
  it('finds its command in the first line, and the state as the last word of the next', async () => {
    const { vm, port } = await bootWithPort({ args: ['--monitor-prompt', 'qemu'] });
    const client = await dial(vm, port);
    await client.text.expect('(qemu) ');
    client.write('info status\n');
    expect(await client.text.expect('(qemu) ')).toBe(
      'info status\r\nVM status: running\r\n(qemu) ',
    );
    client.write('stop\ninfo status\n');
    expect(await client.text.expect('paused\r\n')).toBe(
      'stop\r\n(qemu) info status\r\nVM status: paused\r\n',
    );
  });
});

it('a prompt that cannot be is refused by name, without a monitor too', async () => {
  const base = ['run', '--kernel', guestPath('agent'), '--serial', 'none', '--monitor', 'none'];
  const child = startTsvmm([...base, '--monitor-prompt', '(vm) ']);
  expect((await child.exited).code).toBe(2);
  expect(child.stderr.transcript).toMatch(/^tsvmm: --monitor-prompt="\(vm\) ": [^\n]+\n$/);
});
