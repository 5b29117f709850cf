import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { MIB } from '../harness/sizes.ts';
import { startTsvmm, tempDir } from '../harness/test-vm.ts';
import { CLI } from '../harness/tsvmm.ts';

const SIZE = 16 * MIB;
const CONTENT = Buffer.alloc(SIZE, 0xa5);

/** Reasons not to start that are found early and late. */
const REASONS: readonly (readonly string[])[] = [
  ['--kernel', '/nope'],
  ['--kernel', '/etc/passwd'],
  ['--initrd', '/nope'],
  ['--initrd', '/'],
  ['--append', 'x'.repeat(100_000)],
  ['--monitor', 'unix:/nope/sock'],
  ['--qmp', 'unix:/nope/sock'],
  ['--qmp', 'tcp:999.1.1.1:1'],
  ['--cpus', '255'],
  ['--virtio-mem', 'size=1G,memaddr=0x1000'],
  ['--virtio-mem', 'size=1G,node=3'],
  ['--virtio-mem', 'size=4096T'],
  ['--virtio-mem', 'memdev=nobody'],
  ['--memory-backend', 'file,id=z,mem-path=/dev/null,size=16M'],
  ['--log-level', 'loud'],
];

async function refuse(why: readonly string[], args: readonly string[]): Promise<void> {
  const kernel = why[0] === '--kernel' ? [] : ['--kernel', guestPath('agent')];
  const child = startTsvmm(['run', ...kernel, '--monitor', 'none', ...args, ...why]);
  const { code } = await child.exited;
  const said = child.stderr.transcript;
  expect(code, said).toBe(2);
  expect(said).toMatch(/^tsvmm: [^\n]+\n$/);
}

describe('a start that is refused has changed nothing', () => {
  it.each(REASONS.map((why) => [why] as const))('because of %j', async (why) => {
    const temp = tempDir();
    const [device, boot, log, made] = ['device', 'boot', 'log', 'made'].map((it) => temp.file(it));
    for (const path of [device, boot]) writeFileSync(path ?? '', CONTENT);
    writeFileSync(log ?? '', 'what the last guest said');
    const before = temp.list();
    await refuse(why, [
      ...['--serial', `file:${log}`],
      ...['--memory-backend', `file,id=d,mem-path=${device},share=on,prealloc=on`],
      ...['--memory-backend', `file,id=b,mem-path=${boot},share=on`],
      ...['--memory-backend', `file,id=m,mem-path=${made},size=16M,share=on`],
      ...['--memory', 'memdev=b'],
      ...['--virtio-mem', 'memdev=d', '--virtio-mem', 'memdev=m'],
    ]);
    expect(readFileSync(device ?? '').equals(CONTENT)).toBe(true);
    expect(statSync(device ?? '').blocks * 512).toBe(SIZE);
    expect(readFileSync(boot ?? '').equals(CONTENT)).toBe(true);
    expect(readFileSync(log ?? '', 'utf8')).toBe('what the last guest said');
    expect(temp.list()).toEqual(before);
  });

  it('and one that is not warns of what it drops', async () => {
    const temp = tempDir();
    const path = temp.file('device');
    writeFileSync(path, CONTENT);
    writeFileSync(temp.file('log'), 'what the last guest said');
    const child = startTsvmm([
      ...['run', '--kernel', guestPath('hello'), '--monitor', 'none'],
      ...['--serial', `file:${temp.file('log')}`, '--memory', '64M'],
      ...['--memory-backend', `file,id=d,mem-path=${path},share=on`, '--virtio-mem', 'memdev=d'],
    ]);
    expect((await child.exited).code).toBe(0);
    expect(child.stderr.transcript).toMatch(/device.*held 16 MiB of data, which is dropped/);
    expect(existsSync(path)).toBe(true);
    expect(statSync(path).blocks).toBe(0);
    expect(readFileSync(temp.file('log'), 'utf8')).toBe('hello\n');
  });
});

/** Two uses of one file that cannot be, by the options that name it, and what it is called. */
const CLASHES: readonly (readonly [
  name: string,
  args: (a: string, b: string) => string[],
  RegExp,
])[] = [
  ['kernel and serial port', (a, b) => ['--kernel', a, ...serial(b)], /--kernel .* serial port/],
  [
    'initrd and serial port',
    (a, b) => ['--initrd', a, ...serial(b)],
    /--initrd .*: it is the file of the serial port/,
  ],
  [
    'memory backend and serial port',
    (a, b) => [...backend('m', a), ...serial(b)],
    /id=m: mem-path=.*: it is the file of the serial port/,
  ],
  [
    'memory backend that is only read, and serial port',
    (a, b) =>
      [...backend('m', a), ...serial(b)].map(
        (it) => `${it}${it.startsWith('file,') ? ',readonly=on' : ''}`,
      ),
    /id=m: mem-path=.*: it is the file of the serial port/,
  ],
  ['kernel and memory backend', (a, b) => ['--kernel', a, ...backend('m', b)], /id=m: .* kernel$/m],
  ['initrd and memory backend', (a, b) => ['--initrd', a, ...backend('m', b)], /id=m: .* initrd$/m],
];

function serial(path: string): string[] {
  return ['--serial', `file:${path}`];
}

function backend(id: string, path: string): string[] {
  return [
    '--memory-backend',
    `file,id=${id},size=2M,mem-path=${path},share=on`,
    '--virtio-mem',
    `memdev=${id}`,
  ];
}

describe.each([
  ['its path', (path: string) => path],
  ['a hard link', (path: string) => (linkSync(path, `${path}.hard`), `${path}.hard`)],
  ['a symbolic link', (path: string) => (symlinkSync(path, `${path}.soft`), `${path}.soft`)],
])('one file for two things, by %s, is refused with nothing changed', (_, other) => {
  it.each(CLASHES)('%s', async (_name, args, words) => {
    const path = tempDir().file('it');
    copyFileSync(guestPath('agent'), path);
    const before = readFileSync(path);
    const given = args(path, other(path));
    const kernel = given.includes('--kernel') ? [] : ['--kernel', guestPath('agent')];
    const child = startTsvmm(['run', '--monitor', 'none', ...kernel, ...given]);
    expect((await child.exited).code).toBe(2);
    expect(child.stderr.transcript).toMatch(/^tsvmm: [^\n]+\n$/);
    expect(child.stderr.transcript).toMatch(words);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

describe('a file that the shell has given', () => {
  /** Runs with standard output and error in a file. @returns the exit code */
  async function run(file: string, args: readonly string[]): Promise<number | null> {
    const fd = openSync(file, 'a');
    const command = [CLI, 'run', '--kernel', guestPath('hello'), '--memory', '64M', ...args];
    const child = spawn(process.execPath, command, { stdio: ['ignore', fd, fd] });
    closeSync(fd);
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  }

  it('as the log is written by nothing else', async () => {
    const file = tempDir().file('log');
    writeFileSync(file, 'before\n');
    for (const args of [serial(file), [...backend('m', file), '--serial', 'none']]) {
      expect(await run(file, ['--monitor', 'none', ...args])).toBe(2);
    }
    expect(readFileSync(file, 'utf8')).toMatch(
      /^before\ntsvmm: --serial [^\n]* standard error[^\n]*\ntsvmm: --memory-backend [^\n]* standard error[^\n]*\n$/,
    );
  });

  it('is the console as before', async () => {
    const file = tempDir().file('console');
    expect(await run(file, ['--monitor', 'none'])).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('hello\n');
  });

  it('may be nowhere, or a configuration that nobody writes to', async () => {
    const temp = tempDir();
    expect(await run('/dev/null', ['--monitor', 'none', '--serial', 'file:/dev/null'])).toBe(0);
    const config = temp.file('vm.yaml');
    writeFileSync(config, 'memory: 64M\nmonitor: none\n');
    expect(await run(temp.file('log'), ['--config', config])).toBe(0);
    expect(await run(temp.file('log'), ['--config', config, ...serial(config)])).toBe(2);
    expect(readFileSync(temp.file('log'), 'utf8')).toContain('it is the configuration file\n');
    expect(readFileSync(config, 'utf8')).toBe('memory: 64M\nmonitor: none\n');
  });
});
