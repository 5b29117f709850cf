import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../terminal/testing/temporary-folder.ts';
import { connectUnix } from '../terminal/unix-client.ts';
import { UnixListener } from '../terminal/unix-listener.ts';
import { Monitor } from './monitor.ts';
import { parsePrompt } from './prompt.ts';
import { RemoteSession } from './remote-session.ts';
import { FakeMachine } from './testing/fake-machine.ts';

let path: string;
let machine: FakeMachine;
let monitor: Monitor;
let columns: number | undefined;

const open = async (): Promise<RemoteSession> =>
  RemoteSession.open(await connectUnix(path), path, () => columns);

beforeEach(async () => {
  path = join(temporaryFolder(), 'monitor.sock');
  machine = new FakeMachine();
  monitor = new Monitor(machine);
  columns = undefined;
  monitor.serveSocket(await UnixListener.open(path, '--monitor'));
});

afterEach(() => monitor.close());

describe('a session with the monitor of another process', () => {
  it('greets, and answers each line with what belongs to it', async () => {
    const session = await open();
    expect(session.greeting).toMatch(/^tsvmm 0.1.0 monitor .*\n$/);
    expect(await session.execute('info version')).toBe('0.1.0\n');
    expect(await session.execute('')).toBe('');
    expect(await session.execute('(tsvmm) ')).toBe("unknown command: '(tsvmm)'\n");
    expect((await session.execute('help info')).split('\n').length).toBeGreaterThan(20);
  });

  it('takes the prompt of the other side, and leaves out what that echoes', async () => {
    await monitor.close();
    monitor = new Monitor(machine, parsePrompt('qemu'));
    monitor.serveSocket(await UnixListener.open(path, '--monitor'));
    const session = await open();
    expect(session.prompt).toBe('(qemu) ');
    expect(session.greeting).toMatch(/^tsvmm 0.1.0 monitor .*[^\r]\n$/);
    expect(await session.execute('info version')).toBe('0.1.0\n');
    expect(await session.execute('')).toBe('');
    expect(await session.execute('(qemu) ')).toBe("unknown command: '(qemu)'\n");
    expect(await session.complete('qom-set v')).toEqual({ word: 'v', candidates: ['vm0', 'vm1'] });
    expect(await session.execute('quit')).toBe('');
  });

  it('asks the other side what a word may become', async () => {
    const session = await open();
    expect(await session.complete('qom-set v')).toEqual({ word: 'v', candidates: ['vm0', 'vm1'] });
    expect((await session.complete('info mem')).candidates).toContain('memory-devices');
    expect((await session.complete('qom-list ')).candidates).toContain('vm1');
    expect((await session.complete('help "q')).candidates).toEqual([]);
    expect((await session.complete('nonsense ')).candidates).toEqual([]);
    expect(await session.execute('info history')).toBe("0: 'info history'\n");
  });

  it('draws as wide as the terminal is now', async () => {
    const session = await open();
    const cells = async (width: number): Promise<number> => {
      columns = width;
      await session.execute('info memory-map vm0');
      return Number(/^memoryMap vm0 (\d+)$/.exec(machine.calls.at(-1) ?? '')?.[1]);
    };
    expect(await cells(300)).toBeGreaterThan(await cells(40));
  });

  it('ends with the machine, also in the middle of a command', async () => {
    const idle = await open();
    const busy = await open();
    machine.stopping = new Promise(() => undefined);
    const stopped = busy.execute('stop');
    expect(await idle.execute('quit')).toBe('');
    await idle.closed;
    expect(idle.ended).toBe(true);
    expect(await idle.execute('info version')).toBe('');
    expect(await idle.complete('inf')).toEqual({ word: 'inf', candidates: [] });
    await monitor.close();
    expect(await stopped).toBe('');
  });
});

describe('what is no monitor', () => {
  let server: Server;
  const say = async (text: string): Promise<void> => {
    path = join(temporaryFolder(), 'other.sock');
    server = createServer((socket) => socket.on('error', () => undefined).end(text));
    await new Promise<void>((resolve) => server.listen(path, resolve));
  };
  afterEach(() => void server.close());

  it.each([
    ['{"QMP": {}}\r\n', 'it says {"QMP": {}}'],
    ['', 'it closes the connection'],
    ['tsvmm: another client is connected to this serial port\r\n', 'it says tsvmm: another'],
    ['\u001b[2J', String.raw`it says \x1b[2J`],
    ['tsvmm 0.1.0 monit', 'it says tsvmm 0.1.0 monit'],
  ])('and says %j is refused', async (text, why) => {
    await say(text);
    await expect(open()).rejects.toMatchObject({
      code: 'NOT_A_MONITOR',
      message: expect.stringContaining(why) as string,
    });
  });

  it('and says nothing is not waited for for ever', async () => {
    path = join(temporaryFolder(), 'other.sock');
    server = createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const opened = RemoteSession.open(await connectUnix(path), 'here', () => 80, 20);
    await expect(opened).rejects.toThrow(
      'here: no monitor answers there: it says nothing for 0.02 s',
    );
  });
});
