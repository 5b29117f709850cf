import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { connectUnix } from './unix-client.ts';

describe('connecting to a socket', () => {
  it('gives it, and its later errors just close it', async () => {
    const path = join(temporaryFolder(), 'it.sock');
    const server = createServer((socket) => void socket.destroy());
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const socket = await connectUnix(path);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()).write('x'));
    server.close();
  });

  it('says why there is none', async () => {
    const folder = temporaryFolder();
    const at = (name: string): string => join(folder, name);
    writeFileSync(at('file'), '');
    const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    try {
      execFileSync(process.execPath, ['-e', script, at('dead.sock')]);
    } catch {
      // It was killed, and has left its socket file.
    }
    const why = async (path: string): Promise<unknown> => {
      const error: unknown = await connectUnix(path).catch((caught: unknown) => caught);
      return error instanceof Error ? error.message : error;
    };
    expect(await why(at('nothing'))).toBe(`${at('nothing')}: there is no such socket`);
    expect(await why(at('file'))).toBe(`${at('file')}: not a socket`);
    expect(await why(folder)).toBe(`${folder}: not a socket`);
    expect(await why(at('dead.sock'))).toMatch(/dead.sock: nobody listens there any more/);
    expect(await why('')).toBe("'': the path is empty");
    expect(await why('a\0b')).toBe('a\\0b: the path contains a NUL');
    expect(await why('x'.repeat(108))).toMatch(/: the path is 108 bytes long; .* ends at 107$/);
  });
});
