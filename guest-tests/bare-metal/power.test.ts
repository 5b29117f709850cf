import { describe, expect, it } from 'vitest';
import { bootAgent } from '../harness/test-vm.ts';

const WAYS = ['cf9', 'i8042', 'acpi', 'triple'] as const;

describe('power', () => {
  it('ends with 0 when the guest powers off', async () => {
    const vm = await bootAgent();
    await vm.agent.ok('poweroff');
    expect(await vm.exited).toEqual({ code: 0, signal: null });
  });

  it.each(WAYS)('boots again after a reboot by %s', async (way) => {
    const vm = await bootAgent({ append: 'info' });
    await vm.agent.ok('poke 4 0x3900000 0x1234');
    await vm.agent.ok(`reboot ${way}`);
    await vm.agent.ready();
    expect(await vm.serial.expect(/ok memory.*\n/)).toContain('cmdline=info');
    await vm.agent.ok(`reboot ${way}`);
    await vm.agent.ready();
  });

  it.each(['cf9', 'i8042', 'acpi'])('--no-reboot makes a reboot by %s an exit', async (way) => {
    const vm = await bootAgent({ args: ['--no-reboot'] });
    await vm.agent.ok(`reboot ${way}`);
    expect(await vm.exited).toEqual({ code: 0, signal: null });
  });

  it('--no-reboot makes a triple fault the end of the guest: exit code 3', async () => {
    const vm = await bootAgent({ args: ['--no-reboot'] });
    await vm.agent.ok('reboot triple');
    expect(await vm.exited).toEqual({ code: 3, signal: null });
  });

  it('reboots with every CPU online, and brings them up again', async () => {
    const vm = await bootAgent({ cpus: 4 });
    expect(await vm.agent.ok('smp start')).toBe('online=4 of 4');
    await vm.agent.ok('reboot cf9');
    await vm.agent.ready();
    expect(await vm.agent.ok('smp start')).toBe('online=4 of 4');
  });

  it('a reset by the monitor boots again, also of a halted guest', async () => {
    const vm = await bootAgent();
    const monitor = await vm.monitor();
    await vm.agent.ok('halt');
    await monitor.command('system_reset');
    await vm.agent.ready();
    expect(await monitor.command('info status')).toBe('VM status: running\nresets: monitor 1\n');
  });
});
