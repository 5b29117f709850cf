import { readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Monitor } from '../harness/monitor.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const DEVICE = 'id=vm0,size=8G,requested-size=64M,block-size=2M,dynamic-memslots=on';
/** Device memory is from 4 GiB on. */
const BASE = 4 * GIB;
const hex = (value: number): string => `0x${value.toString(16)}`;

/** A machine with three blocks plugged, the first of them written to. */
async function bootPlugged(cpus = 1): Promise<{ vm: Vm; monitor: Monitor }> {
  const vm = await bootAgent({ cpus, virtioMem: [DEVICE] });
  await vm.agent.initMem();
  expect(await vm.agent.ok(`plug ${hex(BASE)} 3`)).toBe('ack');
  await vm.agent.ok(`poke 8 ${hex(BASE)} 0x1122334455667788`);
  await vm.agent.ok(`poke 4 ${hex(BASE + 2 * MIB)} 0xcafef00d`);
  return { vm, monitor: await vm.monitor() };
}

function register(text: string, name: string): bigint {
  const value = new RegExp(`^(?:.* )?${name} ?=([0-9a-f]{16})`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`no ${name} in:\n${text}`);
  return BigInt(`0x${value}`);
}

describe('info registers', () => {
  it('shows a guest in long mode, which goes on', async () => {
    const vm = await bootAgent({ cpus: 2 });
    const monitor = await vm.monitor();
    const text = await monitor.command('info registers');
    expect(text).toMatch(/^CPU#0\nRAX=[0-9a-f]{16} RBX=/);
    expect(text).toMatch(/^CS =[0-9a-f]{4} 0{16} ffffffff [0-9a-f]{8} DPL=\d CS64 \[/m);
    expect(text).toMatch(/^FCW=037f .* MXCSR=00001f80$/m);
    expect(register(text, 'EFER') & 0x500n).toBe(0x500n);
    expect(register(text, 'CR3')).not.toBe(0n);
    expect(await monitor.command('info registers -a')).toMatch(/^CPU#0\n[^#]+CPU#1\n/);
    expect(await monitor.command('info status')).toBe('VM status: running\n');
    await vm.agent.ok('info');
  });

  it('leaves a machine that is stopped as it is', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    await monitor.command('stop');
    const before = await monitor.command('info registers');
    await monitor.command('x $rip');
    expect(await monitor.command('info registers')).toBe(before);
    expect(await monitor.command('info status')).toBe('VM status: paused\n');
    await monitor.command('cont');
    await vm.agent.ok('info');
  });

  it('works while a vCPU never rests, and is refused for one that does not exist', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    const spinning = vm.agent.ok('spin 500');
    for (let i = 0; i < 20; i++) {
      expect(await monitor.command('info registers 0')).toMatch(/^CPU#0\n/);
    }
    await spinning;
    expect(await monitor.command('info registers 1')).toBe(
      'Error: there is no vCPU 1: they are 0 to 0\n',
    );
  });
});

describe('x and xp', () => {
  it('show plugged memory, physical and virtual', async () => {
    const { monitor } = await bootPlugged();
    const line = '0000000100000000: 0x1122334455667788\n';
    expect(await monitor.command(`xp /1xg ${hex(BASE)}`)).toBe(line);
    // The agent maps memory where it is.
    expect(await monitor.command(`gva2gpa ${hex(BASE)}`)).toBe(`gpa: ${hex(BASE)}\n`);
    expect(await monitor.command(`x /1xg ${hex(BASE)}`)).toBe(line);
    expect(await monitor.command(`xp /2xw ${hex(BASE)} + 2 * 0x100000`)).toBe(
      '0000000100200000: 0xcafef00d 0x00000000\n',
    );
  });

  it('show instructions where the vCPU is', async () => {
    const { monitor } = await bootPlugged();
    await monitor.command('stop');
    const rip = register(await monitor.command('info registers'), 'RIP');
    const text = await monitor.command('x /4xb $rip');
    expect(text).toMatch(new RegExp(`^${rip.toString(16).padStart(16, '0')}: (0x\\w\\w ?){4}\n$`));
    expect(await monitor.command('print/x $rip')).toBe(`0x${rip.toString(16)}\n`);
  });

  it('disassemble as wide as the code of the vCPU', async () => {
    const { vm, monitor } = await bootPlugged(2);
    // As bytes: 48 89 e5 c3 f4 90 90 90.
    await vm.agent.ok(`poke 8 ${hex(BASE)} 0x909090f4c3e58948`);
    const long = [
      '0x0000000100000000:  48 89 e5                 mov %rsp,%rbp',
      '0x0000000100000003:  c3                       ret',
      '0x0000000100000004:  f4                       hlt',
      '',
    ].join('\n');
    expect(await monitor.command(`xp /3i ${hex(BASE)}`)).toBe(long);
    expect(await monitor.command(`x /3i ${hex(BASE)}`)).toBe(long);
    // The second vCPU waits to be started, in real mode as after a reset.
    expect(await monitor.command('cpu 1')).toBe('');
    expect(await monitor.command(`xp /2i ${hex(BASE)}`)).toBe(
      [
        '0x0000000100000000:  48                       dec %ax',
        '0x0000000100000001:  89 e5                    mov %sp,%bp',
        '',
      ].join('\n'),
    );
  });

  it('disassemble from where the vCPU is, up to where memory ends', async () => {
    const { monitor } = await bootPlugged();
    await monitor.command('stop');
    const rip = register(await monitor.command('info registers'), 'RIP');
    const text = await monitor.command('x /5i $rip');
    const found = [...text.matchAll(/^0x([0-9a-f]{16}): {2}((?:[0-9a-f]{2} )+) *[a-z(].*$/gm)];
    expect(found).toHaveLength(5);
    let next = rip;
    for (const [, address = '', bytes = ''] of found) {
      expect(BigInt(`0x${address}`)).toBe(next);
      next += BigInt(bytes.length / 3);
    }
    expect(text).not.toContain('(bad)');
    const end = BASE + 6 * MIB;
    expect(await monitor.command(`xp /9i ${hex(end - 1)}`)).toMatch(
      /^0x00000001005fffff: {2}Cannot access memory: vm0: not plugged \(0x100600000\)\n$/,
    );
  });

  it('never read what is not plugged, and say what is there', async () => {
    const { vm, monitor } = await bootPlugged();
    const end = BASE + 6 * MIB;
    expect(await monitor.command(`xp /5xw ${hex(end - 16)}`)).toBe(
      '00000001005ffff0: 0x00000000 0x00000000 0x00000000 0x00000000\n' +
        `0000000100600000: Cannot access memory\nvm0: not plugged (${hex(end)})\n`,
    );
    expect(await monitor.command('xp 0xfee00000')).toContain('Cannot access memory\nno memory');
    expect(await vm.agent.ok(`unplug ${hex(BASE + 4 * MIB)} 1`)).toBe('ack');
    expect(await monitor.command(`xp ${hex(end - 8)}`)).toContain('vm0: not plugged');
  });
});

describe('pmemsave and memsave', () => {
  it('save plugged memory, with a hole for the rest', async () => {
    const { vm, monitor } = await bootPlugged();
    const temp = tempDir();
    const file = temp.file('physical memory');
    expect(await monitor.command(`pmemsave ${hex(BASE)} ${hex(8 * GIB)} "${file}"`)).toBe(
      'saved 6 MiB; the other 7.99 GiB hold no memory and are a hole in the file\n',
    );
    const { size, blocks, mode } = statSync(file);
    expect([size, mode & 0o777]).toEqual([8 * GIB, 0o600]);
    expect(blocks * 512).toBeLessThan(16 * MIB);
    const second = temp.file('b');
    expect(await monitor.command(`pmemsave ${hex(BASE)} ${hex(4 * MIB)} ${second}`)).toBe('');
    const bytes = readFileSync(second);
    expect(bytes.readBigUInt64LE(0)).toBe(0x1122_3344_5566_7788n);
    expect(bytes.readUInt32LE(2 * MIB)).toBe(0xcafe_f00d);
    await vm.agent.ok('info');
  });

  it('save virtual memory up to where there is none', async () => {
    const { monitor } = await bootPlugged();
    const temp = tempDir();
    const file = temp.file('v');
    expect(await monitor.command(`memsave ${hex(BASE)} 8 ${file}`)).toBe('');
    expect(readFileSync(file).readBigUInt64LE(0)).toBe(0x1122_3344_5566_7788n);
    expect(await monitor.command(`memsave ${hex(BASE)} ${hex(8 * MIB)} ${file}`)).toMatch(
      /^Error: 0x100600000: vm0: not plugged.* has the 6291456 bytes before it\n$/,
    );
    expect(statSync(file).size).toBe(6 * MIB);
  });

  it('refuse a range without memory, and places that are no files', async () => {
    const { monitor } = await bootPlugged();
    const temp = tempDir();
    const where = temp.file('none');
    expect(await monitor.command(`pmemsave ${hex(2 * GIB)} 4096 ${where}`)).toMatch(
      /^Error: 0x80000000 to 0x80001000: nothing to save: no memory there\n$/,
    );
    expect(temp.list()).toEqual([]);
    expect(await monitor.command('pmemsave 0 4096 /dev/null')).toMatch(/^Error: .*not a regular/);
  });
});

describe('info memory-map', () => {
  it('draws what is plugged and resident, and its memslots', async () => {
    const { vm, monitor } = await bootPlugged();
    const text = await monitor.command('info memory-map vm0');
    // Where the host's kernel gives huge pages unasked, a page of the guest's is 2 MiB.
    expect(text).toMatch(
      /^vm0: 0x100000000 to 0x300000000, 8 GiB\nplugged 6 MiB, resident (?:[48] KiB|[246] MiB)/,
    );
    expect(text).toMatch(
      /\n1 memslot in 1 of 8 windows of 1 GiB \(borders \|\); a cell is 8 MiB\n/,
    );
    expect(text).toMatch(/^0x100000000 \|:\.{63}$/m);
    expect(text).toMatch(/^0x140000000 \| {64}$/m);
    await vm.agent.ok(`plug ${hex(BASE + 6 * MIB)} 1`);
    await vm.agent.ok(`fill ${hex(BASE)} ${hex(8 * MIB)} 1`);
    expect(await monitor.command('info memory-map vm0')).toMatch(/^0x100000000 \|#\.{63}$/m);
  });
});

describe('a machine', () => {
  it('has the name and the UUID that it was given', async () => {
    const uuid = '550e8400-e29b-41d4-a716-446655440000';
    const vm = await bootAgent({ args: ['--name', 'web 1', '--uuid', uuid] });
    const monitor = await vm.monitor();
    expect(await monitor.command('info name')).toBe('web 1\n');
    expect(await monitor.command('info uuid')).toBe(`${uuid}\n`);
    expect(await monitor.command('info kvm')).toBe('kvm support: enabled\n');
  });
});

describe('what is inside', () => {
  it('of virtio devices: status, features, queues', async () => {
    const { monitor } = await bootPlugged();
    expect(await monitor.command('info virtio')).toBe('/machine/peripheral/vm0 [virtio-mem]\n');
    expect(await monitor.command('info virtio-status vm0')).toContain('VIRTIO_CONFIG_S_DRIVER_OK');
    const queue = await monitor.command('info virtio-queue-status vm0 0');
    expect(queue).toMatch(/used_idx: +1\n {2}last_avail_idx: +1\n/);
    expect(await monitor.command('info stats vm')).toContain('    requests-ack (cumulative): 1\n');
  });

  it('of a memory device: what it was asked for, how long it took, and why it is as it is', async () => {
    const { monitor } = await bootPlugged();
    const value = (key: string): Promise<string> => monitor.value('info memory-devices -v', key);
    expect(await value('requests')).toBe('ack 1, nack 0, busy 0, error 0');
    expect(await value('plug-latency')).toMatch(
      /^median [\d.]+ (us|ms), p99 [\d.]+ (us|ms), max [\d.]+ (us|ms) \(1 timed\)$/,
    );
    expect(await value('unplug-latency')).toBe('none timed');
    expect(await value('memslots')).toMatch(/^\d+ in \d+ of \d+ windows$/);
    expect(await value('convergence')).not.toBe('');
    const stats = await monitor.command('info stats');
    expect(stats).toMatch(/^ {4}plug-latency \(log2-histogram, ns\): \[\d+\]=1$/m);
    const exits = (name: string): number =>
      Number(new RegExp(`exits-${name} \\(cumulative\\): (\\d+)`).exec(stats)?.[1]);
    // The guest has talked on its serial port, which needs no answers but few.
    expect(exits('port')).toBeGreaterThan(100);
    expect(exits('answered')).toBeGreaterThan(0);
    expect(exits('failed')).toBe(0);
  });

  it('of the interrupt controllers', async () => {
    const { monitor } = await bootPlugged(2);
    expect(await monitor.command('info lapic 1')).toMatch(/^dumping local APIC state for CPU 1\n/);
    expect(await monitor.command('info lapic')).toMatch(/SPIV\t 0x[0-9a-f]{8} APIC enabled/);
    expect(await monitor.command('info pic')).toMatch(/^ {2}pin 4 {2}0x0{14}20 dest=0 vec=32 /m);
    expect(await monitor.command('info irq')).toMatch(/^IRQ statistics for ioapic:\n/);
  });
});
