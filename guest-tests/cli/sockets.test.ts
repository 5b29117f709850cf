import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { processesMentioning } from '../harness/host.ts';
import { bootAgent, startTsvmm, startVm, tempDir } from '../harness/test-vm.ts';

describe('the monitor socket', () => {
  it('belongs to its user alone', async () => {
    const vm = await bootAgent();
    await vm.monitor();
    expect(statSync(vm.monitorPath).mode & 0o077).toBe(0);
  });

  it('that another machine uses is refused, and that machine keeps it', async () => {
    const vm = await bootAgent();
    const args = ['run', '--kernel', guestPath('agent'), '--serial', 'none'];
    const second = startTsvmm([...args, '--monitor', `unix:${vm.monitorPath}`]);
    expect((await second.exited).code).toBe(2);
    expect(second.stderr.transcript).toMatch(/^[^\n]+\n$/);
    expect(second.stderr.transcript).toContain(vm.monitorPath);
    const monitor = await vm.monitor();
    expect(await monitor.command('info status')).toBe('VM status: running\n');
  });

  it('of a machine that was killed is taken over', async () => {
    const first = await bootAgent();
    await first.monitor();
    first.process.kill('SIGKILL');
    await first.exited;
    const args = ['--monitor', `unix:${first.monitorPath}`, '--serial', 'stdio'];
    const child = startTsvmm(['run', '--kernel', guestPath('agent'), '--memory', '128M', ...args]);
    await child.stdout.expect('agent ready');
    const monitor = await first.monitor();
    expect(await monitor.command('info status')).toBe('VM status: running\n');
  });
});

describe('after the end', () => {
  const ends: Readonly<Record<string, (vm: Awaited<ReturnType<typeof bootAgent>>) => unknown>> = {
    'a power-off': (vm) => vm.agent.ok('poweroff'),
    SIGTERM: (vm) => vm.process.kill('SIGTERM'),
    SIGINT: (vm) => vm.process.kill('SIGINT'),
    SIGHUP: (vm) => vm.process.kill('SIGHUP'),
    quit: async (vm) => {
      const monitor = await vm.monitor();
      monitor.client.write('quit\n');
    },
  };

  it.each(Object.entries(ends))('by %s nothing is left', async (name, end) => {
    const vm = await bootAgent({ cpus: 2, virtioMem: ['size=4G,requested-size=1G'] });
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok('sync');
    await vm.agent.ok(`touch ${addr} 256M`);
    await vm.monitor();
    await end(vm);
    const { code, signal } = await vm.exited;
    if (!name.startsWith('SIG')) expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(vm.temp.list()).toEqual([]);
    expect(processesMentioning(vm.temp.path)).toEqual([]);
  });

  it('by a guest that cannot go on nothing is left', async () => {
    const vm = startVm({ guest: 'stuck', args: ['--no-reboot'] });
    await vm.exited;
    expect(vm.temp.list()).toEqual([]);
  });

  it('SIGTERM ends it while the guest asks without a pause', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    await vm.agent.initMem();
    const monitor = await vm.monitor();
    vm.process.write('storm state\n');
    await vm.serial.expect('storming\n');
    await monitor.command('info status');
    vm.process.kill('SIGTERM');
    await vm.exited;
    expect(vm.temp.list()).toEqual([]);
  });
});

describe('the serial file', () => {
  it('that cannot be written is refused', async () => {
    const file = tempDir().file('folder');
    writeFileSync(file, '');
    chmodSync(file, 0o400);
    const args = ['run', '--kernel', guestPath('hello'), '--monitor', 'none'];
    const child = startTsvmm([...args, '--serial', `file:${file}/log`]);
    expect((await child.exited).code).toBe(2);
    expect(child.stderr.transcript).toContain(file);
  });
});
