import { describe, expect, it } from 'vitest';
import { SocketClient } from '../harness/client.ts';
import { guestPath } from '../harness/guests.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startTsvmm } from '../harness/test-vm.ts';

function devices(sizes: readonly [number, number], requested = sizes): string {
  const device = (id: string, memaddr: string, index: 0 | 1) =>
    [
      `Memory device [virtio-mem]: "${id}"`,
      `  memaddr: ${memaddr}`,
      '  node: 0',
      `  requested-size: ${requested[index]}`,
      `  size: ${sizes[index]}`,
      `  max-size: ${8 * GIB}`,
      `  block-size: ${2 * MIB}`,
      `  memdev: /objects/mem${index}`,
      '',
    ].join('\n');
  return device('vm0', '0x140000000', 0) + device('vm1', '0x340000000', 1);
}

describe('a session', () => {
  it('shows two devices, sets their sizes, and shows the answer of the guest', async () => {
    const vm = await bootAgent({
      memory: '4G',
      cpus: 4,
      virtioMem: [
        'id=vm0,size=8G,requested-size=0,block-size=2M',
        'id=vm1,size=8G,requested-size=1G,block-size=2M',
      ],
    });
    const monitor = await vm.monitor();
    await vm.agent.initMem('0');
    await vm.agent.initMem('1');
    expect(await vm.agent.ok('sync')).toContain(`plugged=${GIB}`);
    await vm.agent.ok('follow');
    expect(await monitor.command('info memory-devices')).toBe(devices([0, GIB]));
    expect(await monitor.command('qom-set vm0 requested-size 500M')).toBe('');
    expect(await monitor.command('qom-set vm1 requested-size 200M')).toBe('');
    await expect
      .poll(() => monitor.command('info memory-devices'), { timeout: 60_000 })
      .toBe(devices([500 * MIB, 200 * MIB]));
  });

  it('greets, and prompts after every line', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    expect(monitor.text.transcript).toMatch(/^tsvmm .+help.+\n\(tsvmm\) $/);
    expect(await monitor.command('')).toBe('');
    expect(await monitor.command('   ')).toBe('');
  });

  it('answers a client that sends everything and closes its end', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    const explain = () => vm.process.describe();
    const client = await SocketClient.open(vm.monitorPath, 'monitor', explain);
    client.write('info status\ninfo memory-devices\ninfo version\n');
    client.end();
    const text = await client.text.rest();
    expect(text).toContain('VM status: running');
    expect(text).toContain('Memory device [virtio-mem]: "vm0"');
    expect(text.match(/\(tsvmm\) /g)?.length).toBeGreaterThanOrEqual(3);
  });

  it('says what it does not know', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    expect(await monitor.command('fly me')).toBe("unknown command: 'fly'\n");
    expect(await monitor.command('info nothing')).toMatch(/^unknown command: '.*'\n$/);
    expect(await monitor.command('qom-set')).not.toBe('');
    expect(await monitor.command('qom-get vm7 size')).toMatch(/vm7/);
  });

  it('help lists every command with a line each', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    const commands = ['help', 'info', 'qom-set', 'qom-get', 'qom-list', 'stop', 'cont'];
    const help = await monitor.command('help');
    for (const name of [...commands, 'system_reset', 'system_powerdown', 'quit']) {
      expect(help).toMatch(new RegExp(`^${name}.* -- .+$`, 'm'));
    }
    const info = await monitor.command('help info');
    for (const name of [
      'memory-devices',
      'memslots',
      'status',
      'version',
      'cpus',
      'pci',
      'mtree',
    ]) {
      expect(info).toMatch(new RegExp(`^info ${name}.* -- .+$`, 'm'));
    }
  });

  it('reads properties back', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    const monitor = await vm.monitor();
    expect(await monitor.command('qom-get vm0 requested-size')).toBe(`${64 * MIB}\n`);
    expect(await monitor.command('qom-get vm0 size')).toBe('0\n');
    expect(await monitor.command('qom-list vm0')).toContain('requested-size');
    await monitor.command('qom-set vm0 requested-size 0x2000000');
    expect(await monitor.command('qom-get vm0 requested-size')).toBe(`${32 * MIB}\n`);
    expect(await monitor.command('qom-set vm0 size 1G')).toMatch(/read-only/);
  });

  it('shows what KVM itself answers among all that answers', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    const text = await monitor.command('info mtree');
    expect(text).toMatch(/ 00000000fec00000-00000000fec000ff .*: kvm-ioapic\n/);
    expect(text).toMatch(
      / 0000000000000040-0000000000000043 .*: kvm-pit counters\n.* i8042 data\n/,
    );
  });

  it.each(['info pci', 'info mtree', 'info cpus', 'info version', 'info memslots'])(
    '%s shows something',
    async (command) => {
      const vm = await bootAgent({ virtioMem: ['size=1G'] });
      const monitor = await vm.monitor();
      const output = await monitor.command(command);
      expect(output).toMatch(/\S/);
      expect(output).not.toMatch(/unknown command|^Error/);
    },
  );
});

describe('stop and cont', () => {
  it('hold the guest and let it run on', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    await monitor.command('stop');
    expect(await monitor.command('info status')).toBe('VM status: paused\n');
    const answer = vm.agent.ok('in 1 0x3fd');
    expect(await monitor.command('info status')).toBe('VM status: paused\n');
    await monitor.command('cont');
    await answer;
    expect(await monitor.command('info status')).toBe('VM status: running\n');
  });

  it('change the requested size meanwhile; the guest hears of it after', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    await vm.agent.initMem();
    const monitor = await vm.monitor();
    await monitor.command('stop');
    await monitor.command('qom-set vm0 requested-size 64M');
    await monitor.command('cont');
    await vm.agent.ok('wait-config 0');
    expect((await vm.agent.memConfig()).requested).toBe(64 * MIB);
  });

  it('end while stopped: quit works', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    await monitor.command('stop');
    monitor.client.write('quit\n');
    expect(await vm.exited).toEqual({ code: 0, signal: null });
  });
});

describe('a power button', () => {
  it('is the affair of the guest: one without ACPI goes on', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    expect(await monitor.command('system_powerdown')).toBe('');
    await vm.agent.ok('in 1 0x3fd');
    // PM1 status, power button bit (ACPI 6.5 §4.8.3.1.1).
    expect((await vm.agent.number('in 2 0x600')) & 0x100).toBe(0x100);
  });
});

describe('clients', () => {
  it('are served side by side', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    const monitors = await Promise.all([vm.monitor(), vm.monitor(), vm.monitor()]);
    await monitors[0].command('qom-set vm0 requested-size 64M');
    const answers = await Promise.all(
      monitors.map((monitor) => monitor.command('qom-get vm0 requested-size')),
    );
    expect(answers).toEqual(Array(3).fill(`${64 * MIB}\n`));
  });

  it('may vanish in the middle of a command, or of a line', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    for (const text of ['info mtree\n', 'info mem', 'help\n'.repeat(1000)]) {
      const monitor = await vm.monitor();
      monitor.client.write(text);
      monitor.close();
    }
    const monitor = await vm.monitor();
    expect(await monitor.command('info status')).toBe('VM status: running\n');
  });

  it('may ask much and read nothing, without holding up others', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    const explain = () => vm.process.describe();
    const deaf = await SocketClient.open(vm.monitorPath, 'deaf monitor', explain);
    deaf.write('help\n'.repeat(20_000));
    const monitor = await vm.monitor();
    expect(await monitor.command('info status')).toBe('VM status: running\n');
    deaf.destroy();
    expect(await monitor.command('info status')).toBe('VM status: running\n');
  });

  it('may send a line of 1 MiB: it is refused, and the next one is served', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    const before = vm.residentBytes();
    const answer = await monitor.command('x'.repeat(MIB));
    expect(answer).toMatch(/\S/);
    expect(answer.length).toBeLessThan(1000);
    expect(await monitor.command('info status')).toBe('VM status: running\n');
    expect(vm.residentBytes()).toBeLessThan(before + 64 * MIB);
  });

  it('may send bytes that are no text', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    const answer = await monitor.command('\u0000\u0007\u001b[2J\ufffd');
    expect(answer).toMatch(/unknown command/);
    expect(answer).not.toContain('\u001b');
    expect(await monitor.command('info status')).toBe('VM status: running\n');
  });
});

describe('the monitor on stdio', () => {
  it('answers there, and ends the machine with quit', async () => {
    const args = ['run', '--kernel', guestPath('agent'), '--memory', '128M'];
    const child = startTsvmm([...args, '--serial', 'none', '--monitor', 'stdio']);
    await child.stdout.expect('(tsvmm) ');
    child.write('info status\n');
    await child.stdout.expect('VM status: running');
    child.write('quit\n');
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });
});
