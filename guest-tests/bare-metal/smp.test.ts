import { describe, expect, it } from 'vitest';
import { MIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';

describe('several CPUs', () => {
  it.each([1, 2, 8])('%i of them come online', async (cpus) => {
    const vm = await bootAgent({ cpus });
    expect(await vm.agent.ok('smp start')).toBe(`online=${cpus} of ${cpus}`);
  });

  it('shows them in the monitor', async () => {
    const vm = await bootAgent({ cpus: 2 });
    const monitor = await vm.monitor();
    const cpus = await monitor.command('info cpus');
    expect(cpus.match(/CPU #\d/g)).toEqual(['CPU #0', 'CPU #1']);
  });

  it('stop holds all of them, cont lets them run on', async () => {
    const vm = await bootAgent({ cpus: 2 });
    const monitor = await vm.monitor();
    await vm.agent.ok('smp start');
    await vm.agent.ok('smp touch 0x3800000 64K');
    await monitor.command('stop');
    expect(await monitor.command('info status')).toMatch(/^VM status: paused/);
    await monitor.command('cont');
    const before = await vm.agent.number('smp rounds');
    await vm.agent.ok('spin 50');
    await expect
      .poll(() => vm.agent.number('smp rounds'), { timeout: 60_000 })
      .toBeGreaterThan(before);
  });

  it('lives on when one CPU writes to memory that the other unplugs', async () => {
    const vm = await bootAgent({ cpus: 2, virtioMem: ['size=1G,requested-size=64M'] });
    const { addr, block } = await vm.agent.initMem();
    const blocks = (64 * MIB) / block;
    const monitor = await vm.monitor();
    await vm.agent.ok(`plug ${addr} ${blocks}`);
    await vm.agent.ok('smp start');
    await vm.agent.ok(`smp touch ${addr} 64M`);
    for (let round = 0; round < 5; round++) {
      expect(await vm.agent.ok(`unplug ${addr} ${blocks}`)).toBe('ack');
      expect(await vm.agent.ok(`plug ${addr} ${blocks}`)).toBe('ack');
    }
    expect(await vm.agent.ok(`state ${addr} ${blocks}`)).toBe('ack plugged');
    expect(await monitor.command('info status')).toBe('VM status: running\n');
  });
});
