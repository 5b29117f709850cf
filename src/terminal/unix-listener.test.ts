import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../errors.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { UnixListener } from './unix-listener.ts';

const LISTEN = 'require("net").createServer().listen(process.argv[1], () => console.log("up"))';

/** A process that listens on `path`. */
async function otherProcess(path: string): Promise<{ kill(): Promise<void> }> {
  const child = spawn(process.execPath, ['-e', LISTEN, path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  return {
    kill: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

const open = (path: string): Promise<UnixListener> => UnixListener.open(path, '--monitor');

describe('UnixListener', () => {
  it('lets nobody but the user connect, whatever the umask', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 's');
    // Which a worker thread cannot set.
    const mask = isMainThread ? process.umask(0) : 0;
    const listener = await open(path);
    if (isMainThread) expect(process.umask(mask)).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['s']);
    listener.close();
  });

  it('removes its file when it closes', async () => {
    const path = join(temporaryFolder(), 's');
    const listener = await open(path);
    listener.close();
    expect(existsSync(path)).toBe(false);
    const listeners = process.listenerCount('exit');
    (await open(path)).close();
    expect(process.listenerCount('exit')).toBe(listeners);
  });

  it('replaces the socket that a dead process left', async () => {
    const path = join(temporaryFolder(), 's');
    await (await otherProcess(path)).kill();
    expect(existsSync(path)).toBe(true);
    const listener = await open(path);
    const socket = connect(path);
    await once(socket, 'connect');
    socket.destroy();
    listener.close();
  });

  it('refuses a socket that another process is using, and leaves it alone', async () => {
    const path = join(temporaryFolder(), 's');
    const other = await otherProcess(path);
    await expect(open(path)).rejects.toThrow(
      `--monitor unix:${path}: another process is using this socket`,
    );
    expect(existsSync(path)).toBe(true);
    await other.kill();
  });

  it('refuses a directory, a file and a link to one, and leaves them alone', async () => {
    const folder = temporaryFolder();
    const [directory, file, link] = [join(folder, 'd'), join(folder, 'f'), join(folder, 'l')];
    mkdirSync(directory);
    writeFileSync(file, 'precious');
    symlinkSync(file, link);
    await expect(open(directory)).rejects.toThrow(`unix:${directory}: the path is a directory`);
    await expect(open(file)).rejects.toThrow(`${file}: the path is a file that is not a socket`);
    await expect(open(link)).rejects.toThrow(ConfigError);
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  it('refuses a folder that is not there, by name', async () => {
    const path = join(temporaryFolder(), 'missing', 's');
    await expect(open(path)).rejects.toThrow(ConfigError);
    await expect(open(path)).rejects.toThrow(path);
  });

  it('refuses a path that is too long, with both numbers, counted in bytes', async () => {
    const folder = temporaryFolder();
    const fits = join(folder, 'x'.repeat(107 - folder.length - 1));
    (await open(fits)).close();
    await expect(open(`${fits}x`)).rejects.toThrow(
      /the path is 108 bytes long; a socket's path ends at 107/,
    );
    await expect(open(`${fits.slice(0, -1)}é`)).rejects.toThrow(/108 bytes/);
  });

  it('lets clients wait until somebody serves them', async () => {
    const path = join(temporaryFolder(), 's');
    const listener = await open(path);
    const early = connect(path);
    await once(early, 'connect');
    early.write('hello');
    const served = new Promise<Socket>((resolve) => listener.onConnection(resolve));
    const socket = await served;
    socket.resume();
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toBe('hello');
    socket.destroy();
    early.destroy();
    listener.close();
  });

  it('leaves no file behind when the process exits without closing', async () => {
    // The hook itself, called as the end of the process calls it.
    const path = join(temporaryFolder(), 's');
    const before = new Set(process.listeners('exit'));
    const listener = await open(path);
    const hooks = process.listeners('exit').filter((hook) => !before.has(hook));
    expect(hooks).toHaveLength(1);
    hooks[0]!(0);
    expect(existsSync(path)).toBe(false);
    listener.close();
  });

  it('does not take away a socket that somebody else has put in its place', async () => {
    const path = join(temporaryFolder(), 's');
    const before = new Set(process.listeners('exit'));
    const listener = await open(path);
    execFileSync('rm', [path]);
    writeFileSync(path, 'another');
    process.listeners('exit').find((hook) => !before.has(hook))!(0);
    expect(existsSync(path)).toBe(true);
    listener.close();
  });
});
