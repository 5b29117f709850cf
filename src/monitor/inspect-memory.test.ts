import { describe, expect, it } from 'vitest';
import { useSession } from './testing/use-session.ts';

const client = useSession();
const run = (line: string): Promise<string> => client.run(line);

describe('info registers', () => {
  it('shows a vCPU in long mode as scripts know it', async () => {
    const text = await run('info registers');
    expect(text.split('\n').slice(0, 22)).toEqual([
      'CPU#0',
      'RAX=0000000000000000 RBX=0000000000000001 RCX=0000000000000002 RDX=0000000000000003',
      'RSI=0000000000000004 RDI=0000000000000005 RBP=0000000000000007 RSP=0000000000000006',
      'R8 =0000000000000008 R9 =0000000000000009 R10=000000000000000a R11=000000000000000b',
      'R12=000000000000000c R13=000000000000000d R14=000000000000000e R15=000000000000000f',
      'RIP=ffff800000000020 RFL=00000246 [--I-Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0',
      'ES =0000 0000000000000000 00000000 00800000',
      'CS =0010 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]',
      'SS =0018 0000000000000000 ffffffff 00c09300 DPL=0 DS   [-WA]',
      'DS =0000 0000000000000000 00000000 00800000',
      'FS =0000 0000000000000000 00000000 00800000',
      'GS =0000 0000000000000000 00000000 00800000',
      'LDT=0000 0000000000000000 00000000 00800000',
      'TR =0040 000000000000fe00 0000206f 00008b00 DPL=0 TSS64-busy',
      'GDT=     0000000000001000 0000007f',
      'IDT=     0000000000002000 00000fff',
      'CR0=80050033 CR2=0000000000000000 CR3=0000000000003000 CR4=000006f0',
      'DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 ',
      'DR6=00000000ffff0ff0 DR7=0000000000000400',
      'EFER=0000000000000d01',
      'FCW=037f FSW=3800 [ST=7] FTW=00 MXCSR=00001f80',
      'FPR0=0000000000000000 0000 FPR1=0000000000000000 0000',
    ]);
    expect(text).toContain('XMM00=00000000000000000000000000000000 XMM01=00000000000000010000000');
  });

  it('shows all with -a, one by its number, and that of the session after cpu', async () => {
    const heads = async (line: string) => (await run(line)).match(/^CPU#\d+$/gm);
    expect(await heads('info registers -a')).toEqual(['CPU#0', 'CPU#1', 'CPU#2']);
    expect(await heads('info registers 2')).toEqual(['CPU#2']);
    expect(await run('cpu 1')).toBe('');
    expect(await heads('info registers')).toEqual(['CPU#1']);
    expect(await run('info registers')).toContain('HLT=1');
    expect(await run('info cpus')).toContain('* CPU #1: thread_id=4712\n');
  });

  it.each([
    ['cpu 3', 'Error: there is no vCPU 3: they are 0 to 2\n'],
    ['cpu x', 'Error: vcpu=x: not the number of a vCPU\n'],
    ['cpu -1', 'Error: vcpu=-1: not the number of a vCPU\n'],
    ['info registers 7', 'Error: there is no vCPU 7\n'],
  ])('refuses %s', async (line, error) => {
    expect(await run(line)).toBe(error);
    expect(client.session.settings.cpu).toBe(0);
  });
});

describe('x and xp', () => {
  it.each([
    ['xp /4xw 0', '0000000000000000: 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c\n'],
    ['xp/2xg 8', '0000000000000008: 0x0f0e0d0c0b0a0908 0x1716151413121110\n'],
    ['xp /3xh 0x10', '0000000000000010: 0x1110 0x1312 0x1514\n'],
    ['xp /2db 0x80', '0000000000000080: -128 -127\n'],
    ['xp /2ub 0x9', '0000000000000009:   9  10\n'],
    ['xp /2ob 8', '0000000000000008: 0010 0011\n'],
    ['xp /5c 0x0a', "000000000000000a: '\\n' '\\x0b' '\\x0c' '\\r' '\\x0e'\n"],
    ['xp /2c 0x41', "0000000000000041: 'A' 'B'\n"],
    ['xp 4', '0000000000000004: 0x07060504\n'],
    ['x /1xw 0xffff800000000004', 'ffff800000000004: 0x07060504\n'],
    ['xp/1i 0x55', '0x0000000000000055:  55                       push %rbp\n'],
    ['x /1i $rip + 0x70', '0xffff800000000090:  90                       nop\n'],
    ['x /i 0', '0x0000000000000000:  Cannot access memory: not mapped\n'],
    ['x /1xw $rip - 0x20 + 4', 'ffff800000000004: 0x07060504\n'],
  ])('%s', async (line, output) => {
    expect(await run(line)).toBe(output);
  });

  it('break lines after 16 bytes, and after 8 single ones', async () => {
    expect((await run('xp /8xw 0')).split('\n')).toHaveLength(3);
    expect((await run('xp /16xb 0')).split('\n')).toHaveLength(3);
  });

  it('remember the format, until another is given', async () => {
    await run('xp /4xb 0');
    expect(await run('xp 0')).toBe('0000000000000000: 0x00\n');
    expect(await run('xp /d 1')).toBe('0000000000000001:   1\n');
  });

  it('show where memory ends and what is there, and nothing behind it', async () => {
    const none = 'Cannot access memory\nvm0: not plugged (0x10000)\n';
    expect(await run('xp /4xw 0xfff8')).toBe(`000000000000fff8: ${none}`);
    expect(await run('xp /2xw 0xfff8')).toBe('000000000000fff8: 0x14131211 0x18171615\n');
    expect(await run('xp /9xw 0xfff0')).toMatch(
      /^000000000000fff0: 0x\w+ 0x\w+ 0x\w+ 0x\w+\n0000000000010000: Cannot access memory\n/,
    );
    expect(await run('xp /20xb 0xfffa')).toBe(`000000000000fffa: ${none}`);
    expect(await run('x 0')).toBe('0000000000000000: Cannot access memory\nnot mapped\n');
    expect(await run('xp 0xffffffffffffffff')).toContain('Cannot access memory\nno memory there');
  });

  it('translate by the page tables of the chosen vCPU', async () => {
    await run('cpu 2');
    await run('x $rip');
    expect(client.machine.calls).toEqual(['readVirtual 2']);
    expect(await run('gva2gpa $rip')).toBe('gpa: 0x20\n');
    expect(await run('gva2gpa 0')).toBe('Unmapped\n');
  });

  it.each([
    ['xp /4ib 0', 'Error: format /4ib: i is for x and xp, and stands alone, as /5i\n'],
    ['print /i 0', 'Error: format /i: i is for x and xp, and stands alone, as /5i\n'],
    ['x /0i 0', 'Error: format /0i: the count is 0\n'],
    ['x /9999i 0', 'Error: 149985 bytes: a dump has at most 65536; memsave and'],
    ['xp /4z 0', "Error: format /4z: 'z' is neither one of x d u o c nor of b h w g\n"],
    ['xp /0x 0', 'Error: format /0x: the count is 0\n'],
    ['xp /99999xb 0', 'Error: 99999 bytes: a dump has at most 65536; memsave and'],
    ['xp', 'Error: xp: addr is missing; try "help xp"\n'],
    ['xp /x', 'Error: xp: addr is missing; try "help xp"\n'],
    ['xp 1 +', 'Error: 1 +: a value is missing\n'],
    ['x $nope', 'Error: there is no register $nope\n'],
  ])('refuse %s', async (line, error) => {
    expect(await run(line)).toContain(error);
    expect(client.session.settings.format).toEqual({ letter: 'x', size: 4 });
  });
});

describe('print', () => {
  it.each([
    ['print 10', '0xa\n'],
    ['p/d 0x10', '16\n'],
    ['print /d 2 + 3 * 4', '14\n'],
    ['p/d (2 + 3) * 4', '20\n'],
    ['p/d 1 + 6 & 3', '3\n'],
    ['p/d -7 / 2', '-3\n'],
    ['p/d -7 % 2', '-1\n'],
    ['p/x ~0', '0xffffffffffffffff\n'],
    ['p/u -1', '18446744073709551615\n'],
    ['p/o 8', '010\n'],
    ["p/x 'A'", '0x41\n'],
    ['p/c 0x41', "'A'\n"],
    ['p/d 010', '8\n'],
    ['p/x $rip', '0xffff800000000020\n'],
    ['p/x $eip', '0x20\n'],
    ['p/x $cs', '0x10\n'],
    ['p/x 0xffffffffffffffff + 1', '0x0\n'],
  ])('%s', async (line, output) => {
    expect(await run(line)).toBe(output);
  });

  it.each([
    ['p 1 / 0', 'division by zero'],
    ['p (1', ') is missing'],
    ['p 1 2', "'2' is one too many"],
    ['p 1 @ 2', "cannot make sense of '@ 2'"],
    ['p 0x10000000000000000', 'has more than 64 bits'],
    ['p )', "')' has no value in front of it"],
    [`p ${'('.repeat(100)}`, 'nested too deeply'],
  ])('refuses %s', async (line, error) => {
    expect(await run(line)).toMatch(/^Error: /);
    expect(await run(line)).toContain(error);
  });
});

describe('memsave and pmemsave', () => {
  it('save what is asked, and say what is a hole', async () => {
    expect(await run('pmemsave 0x1000 4096 "low memory.bin"')).toBe('');
    expect(await run('pmemsave 0xf000 0x3000 a')).toBe(
      'saved 4 KiB; the other 8 KiB hold no memory and are a hole in the file\n',
    );
    await run('cpu 1');
    expect(await run('memsave $rip 8 b')).toBe('');
    expect(client.machine.calls).toEqual([
      'savePhysical 4096 4096 low memory.bin',
      'savePhysical 61440 12288 a',
      `saveVirtual 1 18446603336221196320 8 b`,
    ]);
  });

  it.each([
    ['pmemsave 0 0 a', 'Error: size=0: there is nothing to save\n'],
    ['pmemsave 0 -1 a', 'Error: size=0xffffffffffffffff: memory ends before that\n'],
    ['pmemsave 0 1', 'Error: pmemsave: file is missing'],
  ])('refuse %s', async (line, error) => {
    expect(await run(line)).toContain(error);
    expect(client.machine.calls).toEqual([]);
  });
});

describe('info memory-map', () => {
  it('draws plugged, resident, unplugged memory and the borders of memslots', async () => {
    client.columns = 30;
    expect(await run('info memory-map vm0')).toBe(
      [
        'vm0: 0x140000000 to 0x180000000, 1 GiB',
        'plugged 200 MiB, resident 92 MiB, usable 300 MiB',
        '1 memslot in 1 of 2 windows of 512 MiB (borders |); a cell is 64 MiB',
        '0x140000000 |#+-:....|        |',
        'plugged and # resident  + partly resident  - not resident;  : partly plugged',
        'unplugged and . in a memslot  (blank) not in one',
        '',
      ].join('\n'),
    );
    expect(client.machine.calls).toEqual(['memoryMap vm0 256']);
  });

  it.each([
    [20, 8],
    [60, 32],
    [80, 64],
    [1000, 256],
  ])('fits %i columns', async (width, perRow) => {
    client.columns = width;
    await run('info memory-map /machine/peripheral/vm1');
    expect(client.machine.calls).toEqual([`memoryMap vm1 ${perRow * 16}`]);
  });

  it('refuses what is no device', async () => {
    expect(await run('info memory-map vm9')).toBe("Error: there is no memory device 'vm9'\n");
  });
});
