import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { MIB } from '../harness/sizes.ts';
import { startTsvmm, tempDir } from '../harness/test-vm.ts';

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
