import { describe, expect, it } from 'vitest';
import { Qmp } from '../harness/qmp.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startVm, tempDir } from '../harness/test-vm.ts';
import type { Vm, VmOptions } from '../harness/vm.ts';

/** A machine whose agent answers, and a client of it. */
async function boot(options: VmOptions = {}): Promise<{ vm: Vm; qmp: Qmp }> {
  const path = tempDir().file('qmp');
  const args = ['--qmp', `unix:${path}`, ...(options.args ?? [])];
  const vm = await bootAgent({ ...options, args });
  return { vm, qmp: await Qmp.open(vm, path) };
}

const VM0 = { id: 'vm0', 'qom-path': '/machine/peripheral/vm0' };

describe('the size of a memory device', () => {
  it('is told when the guest has made it what was requested', async () => {
    const { vm, qmp } = await boot({ virtioMem: ['size=4G,block-size=2M'] });
    await vm.agent.initMem();
    await vm.agent.ok('follow');
    for (const size of [GIB, 64 * MIB, 0]) {
      await qmp.run('qom-set', { path: 'vm0', property: 'requested-size', value: size });
      expect(await qmp.event('X_TSVMM_MEMORY_DEVICE_CONVERGED')).toEqual({
        ...VM0,
        size,
        'requested-size': size,
        reason: 'converged',
        cause: expect.stringMatching(
          size === 0 ? /^size is as requested$/ : /plugged; .*online/,
        ) as string,
      });
      expect(await qmp.run('query-memory-devices')).toMatchObject([
        { type: 'virtio-mem', data: { id: 'vm0', 'requested-size': size, size } },
      ]);
    }
  });

  it('is told for every change, if that is wanted', async () => {
    const { vm, qmp } = await boot({
      virtioMem: ['size=1G,block-size=2M,requested-size=64M'],
      args: ['--qmp-event-interval', '0'],
    });
    const { addr, block } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 1`);
    await vm.agent.ok(`plug ${addr + block} 2`);
    await vm.agent.ok(`unplug ${addr} 3`);
    for (const blocks of [1, 3, 0]) {
      const size = blocks * block;
      expect(await qmp.event('MEMORY_DEVICE_SIZE_CHANGE')).toEqual({ ...VM0, size });
    }
  });

  it('is told once for many changes in a row, the first and the last', async () => {
    const { vm, qmp } = await boot({
      virtioMem: ['size=1G,block-size=2M,requested-size=512M'],
      args: ['--qmp-event-interval', '86400000'],
    });
    const { addr, block } = await vm.agent.initMem();
    for (let at = 0; at < 20; at++) await vm.agent.ok(`plug ${addr + at * block} 1`);
    vm.process.write('poweroff\n');
    const events = await qmp.rest();
    expect(events).toMatchObject([
      { event: 'MEMORY_DEVICE_SIZE_CHANGE', data: { ...VM0, size: block } },
      { event: 'MEMORY_DEVICE_SIZE_CHANGE', data: { ...VM0, size: 20 * block } },
      { event: 'SHUTDOWN' },
    ]);
  });
});

describe('a guest that does nothing about its memory', () => {
  it('is told to have stalled, to go on, and to have done it', async () => {
    const { vm, qmp } = await boot({ virtioMem: ['size=1G,block-size=2M'] });
    const { addr, block } = await vm.agent.initMem();
    const requested = { 'requested-size': 3 * block };
    await qmp.run('qom-set', { path: 'vm0', property: 'requested-size', value: 3 * block });
    expect(await qmp.event('X_TSVMM_MEMORY_DEVICE_STALLED')).toMatchObject({
      ...{ ...VM0, ...requested, size: 0, reason: 'plug-stalled' },
      cause: expect.stringContaining('asks for nothing') as string,
    });
    await vm.agent.ok(`plug ${addr} 1`);
    expect(await qmp.event('X_TSVMM_MEMORY_DEVICE_RESUMED')).toMatchObject({
      ...{ ...VM0, ...requested, size: block },
    });
    await vm.agent.ok(`plug ${addr + block} 2`);
    expect(await qmp.event('X_TSVMM_MEMORY_DEVICE_CONVERGED')).toMatchObject({
      ...{ ...VM0, ...requested, size: 3 * block },
    });
  });
});

describe('an access to memory that is not plugged', () => {
  it('is told: what it was, and what follows', async () => {
    const { vm, qmp } = await boot({ virtioMem: ['size=16G,block-size=2M,dynamic-memslots=on'] });
    const { addr } = await vm.agent.initMem();
    vm.process.write(`poke 8 ${addr} 5\n`);
    const told = await qmp.event('X_TSVMM_MEMORY_DEVICE_VIOLATION');
    expect(told).toEqual({
      ...VM0,
      'cpu-index': 0,
      gpa: addr,
      rip: expect.any(Number) as number,
      access: 'write',
      action: 'stop',
      count: 1,
    });
    await qmp.event('STOP');
    const { rip } = told as { readonly rip: number };
    expect(await qmp.run('human-monitor-command', { 'command-line': 'info status' })).toContain(
      `at rip 0x${rip.toString(16)}`,
    );
  });
});

describe('a reset', () => {
  it('by the guest is told, and that its memory is gone', async () => {
    const { vm, qmp } = await boot({
      virtioMem: ['size=1G,block-size=2M,requested-size=64M'],
      args: ['--qmp-event-interval', '0'],
    });
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 4`);
    expect(await qmp.event('MEMORY_DEVICE_SIZE_CHANGE')).toMatchObject({ size: 8 * MIB });
    await vm.agent.ok('reboot cf9');
    expect(await qmp.event('MEMORY_DEVICE_SIZE_CHANGE')).toMatchObject({ size: 0 });
    expect(await qmp.event('RESET')).toEqual({
      ...{ guest: true, reason: 'guest-reset' },
      ...{ 'x-tsvmm-kind': 'reboot', 'x-tsvmm-count': 1 },
    });
    await vm.agent.ready();
  });

  it('by a client is told', async () => {
    const { vm, qmp } = await boot();
    expect(await qmp.run('system_reset')).toEqual({});
    expect(await qmp.event('RESET')).toEqual({
      ...{ guest: false, reason: 'host-qmp-system-reset' },
      ...{ 'x-tsvmm-kind': 'monitor', 'x-tsvmm-count': 1 },
    });
    await vm.agent.ready();
  });
});

describe('stop and cont', () => {
  it('are told to every client', async () => {
    const path = tempDir().file('qmp');
    const vm = await bootAgent({ args: ['--qmp', `unix:${path}`] });
    const clients = [await Qmp.open(vm, path), await Qmp.open(vm, path)];
    await clients[0]?.run('stop');
    expect(await clients[1]?.run('query-status')).toMatchObject({
      running: false,
      status: 'paused',
    });
    await clients[0]?.run('cont');
    for (const client of clients) {
      expect((await client.nextEvent()).event).toBe('STOP');
      expect((await client.nextEvent()).event).toBe('RESUME');
    }
  });

  it('of the human monitor are told too', async () => {
    const { vm, qmp } = await boot();
    await (await vm.monitor()).command('stop');
    await qmp.event('STOP');
    await qmp.run('human-monitor-command', { 'command-line': 'cont' });
    await qmp.event('RESUME');
  });
});

describe('the end', () => {
  const ends: readonly [string, (vm: Vm, qmp: Qmp) => unknown, object][] = [
    [
      'a power-off of the guest',
      (vm) => vm.agent.ok('poweroff'),
      { guest: true, reason: 'guest-shutdown' },
    ],
    ['SIGTERM', (vm) => vm.process.kill('SIGTERM'), { guest: false, reason: 'host-signal' }],
    [
      'quit',
      (_vm, { client }) => client.write('{"execute":"quit"}'),
      { guest: false, reason: 'host-qmp-quit' },
    ],
  ];

  it.each(ends)('by %s is the last event', async (_name, end, data) => {
    const { vm, qmp } = await boot();
    await end(vm, qmp);
    const events = (await qmp.rest()).filter(({ event }) => event !== undefined);
    expect(events).toMatchObject([{ event: 'SHUTDOWN', data }]);
    await vm.exited;
  });

  it('instead of a reboot is told as such', async () => {
    const { vm, qmp } = await boot({ args: ['--no-reboot'] });
    await vm.agent.ok('reboot cf9');
    expect(await qmp.rest()).toMatchObject([
      { event: 'SHUTDOWN', data: { guest: true, reason: 'guest-reset' } },
    ]);
  });

  it('by a triple fault is told as the exit code tells it', async () => {
    const { vm, qmp } = await boot({ args: ['--no-reboot'] });
    vm.process.write('reboot triple\n');
    const events = await qmp.rest();
    // A KVM that emulates the guest cannot go on where hardware would reset.
    const isPanic = (await vm.exited).code === 3;
    expect(events.map(({ event, data }) => [event, data])).toEqual(
      isPanic
        ? [
            ['GUEST_PANICKED', { action: 'poweroff', 'x-tsvmm-report': expect.any(Array) as [] }],
            ['SHUTDOWN', { guest: true, reason: 'guest-panic' }],
          ]
        : [['SHUTDOWN', { guest: true, reason: 'guest-reset' }]],
    );
  });
});

describe('the power button', () => {
  it('is told when it is pressed', async () => {
    const { qmp } = await boot();
    await qmp.run('system_powerdown');
    await qmp.event('POWERDOWN');
  });
});

describe('a client that comes late', () => {
  it('gets the greeting of a machine that runs', async () => {
    const path = tempDir().file('qmp');
    const vm = startVm({ args: ['--qmp', `unix:${path}`] });
    const qmp = await Qmp.open(vm, path);
    await vm.agent.ready();
    expect(await qmp.run('query-status')).toMatchObject({ running: true, status: 'running' });
  });
});
