import { expect, it } from 'vitest';
import type { Fields } from '../harness/agent.ts';
import { bootAgent } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

/** Waits until every CPU has taken as many. */
async function taken(vm: Vm, counts: Fields): Promise<void> {
  await expect.poll(() => vm.agent.fields('nmi'), { timeout: 60_000 }).toEqual(counts);
}

it('nmi reaches a guest that waits, and one that works, each time', async () => {
  const vm = await bootAgent();
  const monitor = await vm.monitor();
  await taken(vm, { cpu0: 0 });
  expect(await monitor.command('nmi')).toBe('');
  await taken(vm, { cpu0: 1 });
  const spinning = vm.agent.ok('spin 300');
  expect(await monitor.command('nmi')).toBe('');
  await spinning;
  await taken(vm, { cpu0: 2 });
  expect(await vm.agent.ok('info')).toContain('cpus=1');
  expect(await monitor.command('info status')).toBe('VM status: running\n');
});

it('nmi reaches every CPU', async () => {
  const vm = await bootAgent({ cpus: 4 });
  const monitor = await vm.monitor();
  await vm.agent.ok('smp start');
  for (let count = 1; count <= 3; count++) {
    expect(await monitor.command('nmi')).toBe('');
    await taken(vm, { cpu0: count, cpu1: count, cpu2: count, cpu3: count });
  }
});

it('nmi to a guest that is held comes when it goes on', async () => {
  const vm = await bootAgent();
  const monitor = await vm.monitor();
  await monitor.command('stop');
  expect(await monitor.command('nmi')).toBe('');
  expect(await monitor.command('info status')).toBe('VM status: paused\n');
  await monitor.command('cont');
  await taken(vm, { cpu0: 1 });
});
