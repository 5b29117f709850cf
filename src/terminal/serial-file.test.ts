import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../errors.ts';
import { openSerialBackend } from './open-serial.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const open = (path: string) => openSerialBackend({ kind: 'file', path });

describe('a serial port in a file', () => {
  it('replaces what was there with every byte of the guest', async () => {
    const path = join(temporaryFolder(), 'out');
    writeFileSync(path, 'old and longer than the new');
    const backend = await open(path);
    backend.begin?.();
    backend.write(Buffer.from('boot\r\n'));
    backend.write(Uint8Array.of(0, 255, 10));
    await backend.close();
    expect(readFileSync(path).toString('latin1')).toBe('boot\r\n\x00\xff\n');
  });

  it('leaves everything as it was when the machine does not begin', async () => {
    const folder = temporaryFolder();
    const [old, missing] = [join(folder, 'old'), join(folder, 'missing')];
    writeFileSync(old, 'what there was');
    for (const path of [old, missing]) await (await open(path)).close();
    expect(readFileSync(old, 'utf8')).toBe('what there was');
    expect(existsSync(missing)).toBe(false);
  });

  it('writes all of a large output, waiting where it is told to', async () => {
    const path = join(temporaryFolder(), 'out');
    const backend = await open(path);
    backend.begin?.();
    let wake: () => void = () => undefined;
    backend.onDrain(() => wake());
    const chunk = Buffer.alloc(8192, 'x');
    for (let i = 0; i < 500; i++) {
      if (!backend.write(chunk)) await new Promise<void>((resolve) => (wake = resolve));
    }
    await backend.close();
    expect(readFileSync(path)).toHaveLength(500 * 8192);
  });

  it('takes /dev/null', async () => {
    const backend = await open('/dev/null');
    backend.begin?.();
    backend.write(Buffer.from('x'));
    await backend.close();
  });

  it('refuses a directory, a missing folder and a FIFO by name', async () => {
    const folder = temporaryFolder();
    const [directory, fifo] = [join(folder, 'd'), join(folder, 'fifo')];
    mkdirSync(directory);
    execFileSync('mkfifo', [fifo]);
    for (const path of [directory, fifo, join(folder, 'missing', 'out')]) {
      await expect(open(path)).rejects.toThrow(ConfigError);
      await expect(open(path)).rejects.toThrow(`--serial file:${path}: `);
    }
  });

  it('goes on without a console when the disk is full', async () => {
    if (!existsSync('/dev/full')) return;
    const backend = await open('/dev/full');
    for (let i = 0; i < 100; i++) {
      backend.write(new Uint8Array(8192));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await backend.close();
  });
});

it('drops output and gives no input with --serial none', async () => {
  const backend = await openSerialBackend({ kind: 'none' });
  expect(backend.write(Buffer.from('x'))).toBe(true);
  await backend.close();
});
