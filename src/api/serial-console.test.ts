import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { SerialConsole } from './serial-console.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('SerialConsole', () => {
  it('waits for text, and takes what it has found', async () => {
    const serial = new PassThrough();
    const console = new SerialConsole(serial);
    const login = console.expect('login: ');
    serial.write('booting…\nlog');
    await turn();
    serial.write('in: # ');
    expect((await login).endsWith('login: ')).toBe(true);
    expect(await console.expect(/#\s/)).toBe('# ');
  });

  it('finds what came before it was asked', async () => {
    const serial = new PassThrough();
    const console = new SerialConsole(serial);
    serial.write('ready\nready\n');
    await turn();
    expect(await console.expect('ready\n')).toBe('ready\n');
    expect(await console.expect(/ready\n/g)).toBe('ready\n');
  });

  it('sends text as it is', async () => {
    const serial = new PassThrough();
    const console = new SerialConsole(serial);
    // What is sent comes back.
    console.send('ls\n');
    expect(await console.expect('ls\n')).toBe('ls\n');
  });

  it('says what came instead', async () => {
    const serial = new PassThrough();
    const console = new SerialConsole(serial);
    serial.write('Kernel panic');
    await turn();
    await expect(console.expect('login:', { timeoutMs: 20 })).rejects.toThrow(
      'expected login:, nothing in 20 ms\n--- it said\nKernel panic',
    );
    serial.end();
    await expect(console.expect('login:')).rejects.toThrow('expected login:, it has ended');
  });

  it('waits for one thing at a time', async () => {
    const serial = new PassThrough();
    const console = new SerialConsole(serial);
    const first = console.expect('a');
    await expect(console.expect('b')).rejects.toThrow('waiting for something already');
    serial.write('a');
    await first;
  });

  it('keeps a bounded part of what nobody expects', async () => {
    const serial = new PassThrough();
    const console = new SerialConsole(serial);
    serial.write('the beginning\n');
    for (let kib = 0; kib < 2048; kib++) serial.write('x'.repeat(1024));
    serial.write('the end');
    await expect.poll(() => serial.readableLength + serial.writableLength).toBe(0);
    await expect(console.expect('beginning', { timeoutMs: 20 })).rejects.toThrow('nothing in');
    await console.expect('the end');
  });

  it('reads no more once it is closed', async () => {
    const serial = new PassThrough();
    const console = new SerialConsole(serial);
    console.close();
    expect(serial.listenerCount('data')).toBe(0);
    serial.write('ready');
    await expect(console.expect('ready', { timeoutMs: 20 })).rejects.toThrow('nothing in');
  });
});
