import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { startTsvmm, tempDir } from '../harness/test-vm.ts';

/** Runs `tsvmm run` with arguments that cannot be, beside a good kernel unless another is given. */
async function refuse(args: readonly string[]): Promise<string> {
  const kernel = args.includes('--kernel') ? [] : ['--kernel', guestPath('agent')];
  const child = startTsvmm(['run', ...kernel, '--serial', 'none', '--monitor', 'none', ...args]);
  const exit = await child.exited;
  const said = child.stderr.transcript;
  expect({ ...exit, said }).toEqual({ code: 2, signal: null, said });
  expect(child.stdout.transcript).toBe('');
  return said;
}

/** What it says must be one line, and name the culprit. */
function expectOneLine(said: string, ...named: readonly string[]): void {
  expect(said).toMatch(/^[^\n]+\n$/);
  for (const name of named) expect(said).toContain(name);
  expect(said).not.toMatch(/\bat .*\.[jt]s:\d+/);
}

describe.each(['--kernel', '--initrd'])('%s', (option) => {
  it('that does not exist is named', async () => {
    expectOneLine(await refuse([option, '/nowhere/file']), '/nowhere/file');
  });

  it('that is a directory is named', async () => {
    const temp = tempDir();
    expectOneLine(await refuse([option, temp.path]), temp.path);
  });

  it('that is empty is named', async () => {
    const file = tempDir().file('empty');
    writeFileSync(file, '');
    expectOneLine(await refuse([option, file]), file);
  });

  it('that is larger than the memory is named', async () => {
    const file = tempDir().file('large');
    writeFileSync(file, readFileSync(guestPath('agent')));
    const { truncateSync } = await import('node:fs');
    truncateSync(file, 3 * 2 ** 30);
    const args = option === '--kernel' ? [] : [option, file, '--memory', '1G'];
    if (args.length > 0) expectOneLine(await refuse(args), file);
  });
});

describe('a kernel file', () => {
  const agent = readFileSync(guestPath('agent'));

  it.each([1, 3, 4, 16, 63, 64, 100, 200, 4096, agent.length >> 1])(
    'cut off after %i bytes is refused by name',
    async (length) => {
      const file = tempDir().file('cut');
      writeFileSync(file, agent.subarray(0, length));
      expectOneLine(await refuse(['--kernel', file]), file);
    },
  );

  it.each([
    ['text', Buffer.from('#!/bin/sh\necho hello\n'.repeat(500))],
    ['zeros', Buffer.alloc(100_000)],
    ['a bzImage magic and nothing else', bzImageMagicOnly()],
  ])('that is %s is refused by name', async (_what, bytes) => {
    const file = tempDir().file('other');
    writeFileSync(file, bytes);
    expectOneLine(await refuse(['--kernel', file]), file);
  });

  it('with any of its header bytes wrong never crashes the VMM', async () => {
    // Program headers that point outside the file, wrap around, or load over each other.
    for (const offset of [18, 32, 54, 56, 64 + 8, 64 + 24, 64 + 32, 64 + 40]) {
      const bytes = Buffer.from(agent);
      bytes.fill(0xff, offset, offset + 2);
      bytes.fill(0xff, offset + 6, offset + 8);
      const file = tempDir().file('bent');
      writeFileSync(file, bytes);
      const child = startTsvmm([
        ...['run', '--kernel', file, '--no-reboot', '--memory', '64M'],
        ...['--serial', 'none', '--monitor', 'none', '--append', 'poweroff'],
      ]);
      const { code, signal } = await child.exited;
      expect({ offset, signal }).toEqual({ offset, signal: null });
      expect([0, 2, 3]).toContain(code);
    }
  });
});

function bzImageMagicOnly(): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeUInt16LE(0xaa55, 0x1fe);
  bytes.write('HdrS', 0x202);
  return bytes;
}

describe('sizes', () => {
  it.each([
    '0',
    '-1',
    '1.3',
    '1X',
    '99999T',
    '',
    'x',
    '1G1G',
    '0x',
    ' ',
    '1e9',
    'NaN',
    '18446744073709551616',
  ])('--memory %j is refused by name and value', async (size) => {
    expectOneLine(await refuse([`--memory=${size}`]), '--memory', size);
  });

  it.each(['0', '-1', '1.3', '1X', '99999T', '3M', '1.0000001G'])(
    '--virtio-mem size=%s is refused by name',
    async (size) => {
      expectOneLine(await refuse(['--virtio-mem', `size=${size}`]), '--virtio-mem', 'size=');
    },
  );

  it('--memory that the host cannot have is refused', async () => {
    const said = await refuse(['--memory', '4000T']);
    expectOneLine(said, '--memory');
  });

  it.each(['0', '-1', '1.5', 'two', '99999', ''])('--cpus %j is refused', async (cpus) => {
    expectOneLine(await refuse([`--cpus=${cpus}`]), '--cpus', cpus);
  });
});

describe('--virtio-mem', () => {
  it.each([
    ['', '--virtio-mem'],
    ['size=1G,colour=red', 'colour'],
    ['size=1G,size=2G', 'size'],
    ['size', 'size'],
    ['size=', 'size'],
    ['=1G', '=1G'],
    ['size=1G,,id=a', '--virtio-mem'],
    ['requested-size=1G', 'size'],
    ['size=1G,requested-size=2G', 'requested-size'],
    ['size=1G,requested-size=3M', 'requested-size'],
    ['size=1G,requested-size=1', 'requested-size'],
    ['size=1G,block-size=3M', 'block-size'],
    ['size=1G,block-size=512K', 'block-size'],
    ['size=1G,block-size=0', 'block-size'],
    ['size=3M,block-size=2M', 'size'],
    ['size=1G,memaddr=0x140000001', 'memaddr'],
    ['size=1G,memaddr=0', 'memaddr'],
    ['size=1G,memaddr=0xfee00000', 'memaddr'],
    ['size=1G,memaddr=0x8000000000000', 'memaddr'],
    ['size=1G,node=7', 'node'],
    ['size=1G,node=-1', 'node'],
    ['size=1G,dynamic-memslots=maybe', 'dynamic-memslots'],
    ['size=1G,dynamic-memslots=on,unplugged-inaccessible=off', 'unplugged-inaccessible'],
    ['size=1G,memslot-size=1G', 'memslot-size'],
    ['size=1G,dynamic-memslots=on,memslot-size=3M', 'memslot-size'],
    ['size=1G,memdev=nowhere', 'memdev'],
    ['size=1G,protect-unplugged=perhaps', 'protect-unplugged'],
    ['size=1G,id=a b', 'id'],
    ['size=1G,id=../x', 'id'],
  ])('%j is refused, naming %j', async (keys, named) => {
    expectOneLine(await refuse(['--virtio-mem', keys]), named);
  });

  it('twice with one id is refused', async () => {
    const said = await refuse(['--virtio-mem', 'id=a,size=1G', '--virtio-mem', 'id=a,size=1G']);
    expectOneLine(said, 'id=a');
  });

  it('at overlapping addresses is refused', async () => {
    const said = await refuse([
      ...['--virtio-mem', 'size=2G,memaddr=0x140000000'],
      ...['--virtio-mem', 'size=1G,memaddr=0x180000000'],
    ]);
    expectOneLine(said, 'memaddr');
  });

  it('past the physical address width of the guest is refused with both numbers', async () => {
    const said = await refuse(['--virtio-mem', 'size=4096T']);
    expectOneLine(said);
    expect(said).toMatch(/\d+ (address )?bits|\d+-bit/);
  });
});

describe('the command line', () => {
  it.each([
    [['--colour', 'red'], '--colour'],
    [['stray'], 'stray'],
    [['--serial', 'modem'], 'modem'],
    [['--serial', 'unix:'], 'unix:'],
    [['--serial', 'file:'], 'file:'],
    [['--serial', 'file:/nowhere/log'], '/nowhere/log'],
    [['--monitor', 'file:/tmp/x'], 'file:/tmp/x'],
    [['--log-level', 'loud'], 'loud'],
    [['--memory'], '--memory'],
  ] as const)('%j is refused, naming %j', async (args, named) => {
    const said = await refuse(args);
    expect(said).toContain(named);
    expect(said.split('\n').filter((line) => line !== '').length).toBe(1);
  });

  it('without a kernel says which option is missing', async () => {
    const child = startTsvmm(['run']);
    expect((await child.exited).code).toBe(2);
    expect(child.stderr.transcript).toContain('--kernel');
  });

  it('without a command shows the help', async () => {
    const child = startTsvmm([]);
    expect((await child.exited).code).toBe(2);
    expect(child.stderr.transcript + child.stdout.transcript).toContain('Usage: tsvmm');
  });

  it('with a command that does not exist names it', async () => {
    const child = startTsvmm(['fly']);
    expect((await child.exited).code).toBe(2);
    expect(child.stderr.transcript).toContain('fly');
  });
});

describe('a socket path', () => {
  it.each(['--serial', '--monitor'])('%s that is too long is refused', async (option) => {
    const path = tempDir().file('x'.repeat(120));
    expectOneLine(await refuse([option, `unix:${path}`]), option, '107');
  });

  it.each(['--serial', '--monitor'])(
    '%s in a folder that is not there is refused',
    async (option) => {
      expectOneLine(await refuse([option, 'unix:/nowhere/sock']), option, '/nowhere/sock');
    },
  );

  it.each(['--serial', '--monitor'])(
    '%s that is another file is refused and kept',
    async (option) => {
      const temp = tempDir();
      writeFileSync(temp.file('precious'), 'data');
      mkdirSync(temp.file('folder'));
      for (const name of ['precious', 'folder']) {
        expectOneLine(await refuse([option, `unix:${temp.file(name)}`]), option, temp.file(name));
      }
      expect(readFileSync(temp.file('precious'), 'utf8')).toBe('data');
    },
  );

  it('given to both serial and monitor is refused', async () => {
    const path = tempDir().file('sock');
    expectOneLine(await refuse(['--serial', `unix:${path}`, '--monitor', `unix:${path}`]), path);
  });

  it('leaves no socket of another option behind when refused', async () => {
    const temp = tempDir();
    await refuse(['--serial', `unix:${temp.file('serial')}`, '--monitor', 'unix:/nowhere/sock']);
    expect(temp.list()).toEqual([]);
  });
});
