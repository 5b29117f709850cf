import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

type Line = Readonly<Record<string, unknown>>;

const DEVICE = 'size=4G,requested-size=1G,block-size=2M,dynamic-memslots=on,memslot-size=1G';

/** What the log has so far, with a message that is traced. */
function traced(vm: Vm, message?: string): Line[] {
  const whole = vm.process.stderr.transcript.split('\n').slice(0, -1);
  return whole
    .map((line) => JSON.parse(line) as Line)
    .filter(({ level, msg }) => level === 10 && (message === undefined || msg === message));
}

const hex = (value: number): string => `0x${value.toString(16)}`;

describe('a trace of a guest', () => {
  it('tells of its requests, its memslots and where it may plug', async () => {
    const vm = await bootAgent({ virtioMem: [DEVICE], args: ['--log-level', 'trace'] });
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} 4`)).toBe('ack');
    expect(await vm.agent.ok(`plug ${addr} 1`)).toBe('error');
    expect(await vm.agent.ok(`state ${addr} 5`)).toBe('ack mixed');
    const monitor = await vm.monitor();
    await monitor.command('qom-set vm0 requested-size 2G');
    expect(await vm.agent.ok(`unplug ${addr} 4`)).toBe('ack');
    monitor.client.write('quit\n');
    await vm.exited;
    const requests = traced(vm, 'request');
    const about = {
      component: 'virtio-mem',
      id: 'vm0',
      gpa: hex(addr),
      us: expect.any(Number) as number,
    };
    expect(requests).toEqual(
      [
        { ...about, request: 'plug', count: 4, answer: 'ack' },
        { ...about, request: 'plug', count: 1, answer: 'error' },
        { ...about, request: 'state', count: 5, answer: 'ack', state: 'mixed' },
        { ...about, request: 'unplug', count: 4, answer: 'ack' },
      ].map((line) => expect.objectContaining(line) as Line),
    );
    const usable = { from: hex(GIB + 256 * MIB), to: hex(2 * GIB + 256 * MIB) };
    expect(traced(vm, 'usable region')).toEqual([
      expect.objectContaining({ id: 'vm0', ...usable }),
    ]);
    const slot = { component: 'memslots', gpa: hex(addr), size: hex(GIB), owner: 'vm0' };
    for (const message of ['memslot added', 'memslot removed']) {
      expect(traced(vm, message)).toContainEqual(expect.objectContaining(slot));
    }
    // The log is about this machine only: its device, and its boot memory.
    const owners = traced(vm).map(({ id, owner }) => id ?? owner);
    expect(new Set(owners)).toEqual(new Set(['vm0', 'ram']));
  });

  it('is limited, unless all of it is wanted', async () => {
    const vm = await bootAgent({ virtioMem: [DEVICE], args: ['--log-level', 'trace'] });
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok('bench state 10000');
    // Lines are written before the answer is, and may reach us after it.
    while (!traced(vm).some(({ suppressed }) => Number(suppressed) > 0)) {
      await vm.agent.ok(`state ${addr} 1`);
    }
    expect(traced(vm, 'request').length).toBeLessThan(10_000);
    const monitor = await vm.monitor();
    await monitor.command('log trace-all');
    await vm.agent.ok('bench state 1000');
    monitor.client.write('quit\n');
    await vm.exited;
    const last = traced(vm, 'request').slice(-1000);
    expect(new Set(last.map(({ request }) => request))).toEqual(new Set(['state']));
    expect(last.filter(({ suppressed }) => suppressed !== undefined)).toEqual([]);
  });

  it('counts all of a burst, also one that ends the machine', async () => {
    const vm = await bootAgent({ virtioMem: [DEVICE], args: ['--log-level', 'trace'] });
    await vm.agent.initMem();
    const monitor = await vm.monitor();
    await vm.agent.ok('bench state 5000');
    monitor.client.write('quit\n');
    await vm.exited;
    const left = traced(vm, 'request').map(({ suppressed }) => Number(suppressed ?? 0));
    expect(left.length + left.reduce((sum, it) => sum + it, 0)).toBe(5000);
    expect(left.length).toBeLessThan(5000);
  });
});
