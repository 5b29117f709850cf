import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';

describe('a changed requested size', () => {
  it('interrupts the guest, which then reads it', async () => {
    const vm = await bootAgent({ virtioMem: ['size=4G'] });
    await vm.agent.initMem();
    const monitor = await vm.monitor();
    const seen = await vm.agent.field('irq', 'config');
    await monitor.command('qom-set vm0 requested-size 500M');
    await vm.agent.ok(`wait-config ${seen}`);
    const { requested, usable } = await vm.agent.memConfig();
    expect(requested).toBe(500 * MIB);
    expect(usable).toBe(756 * MIB);
  });

  it('bumps the generation and interrupts even when it is the same', async () => {
    const vm = await bootAgent({ virtioMem: ['size=4G,requested-size=64M'] });
    await vm.agent.initMem();
    const monitor = await vm.monitor();
    const generation = await vm.agent.number('common 1 21');
    const seen = await vm.agent.field('irq', 'config');
    await monitor.command('qom-set vm0 requested-size 64M');
    await vm.agent.ok(`wait-config ${seen}`);
    expect(await vm.agent.number('common 1 21')).not.toBe(generation);
  });

  it('leaves the guest alone for plug and unplug', async () => {
    const vm = await bootAgent({ virtioMem: ['size=4G,requested-size=64M'] });
    const { addr } = await vm.agent.initMem();
    const seen = await vm.agent.field('irq', 'config');
    await vm.agent.ok(`plug ${addr} 4`);
    await vm.agent.ok(`unplug ${addr} 4`);
    await vm.agent.ok('unplug-all');
    expect(await vm.agent.field('irq', 'config')).toBe(seen);
  });

  it('below what is plugged unplugs nothing by itself, and NACKs more', async () => {
    const vm = await bootAgent({ virtioMem: ['size=4G,requested-size=64M'] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    await vm.agent.ok(`plug ${addr} 16`);
    await monitor.command('qom-set vm0 requested-size 16M');
    expect((await vm.agent.memConfig()).plugged).toBe(16 * block);
    expect(await vm.agent.ok(`plug ${addr + 16 * block} 1`)).toBe('nack');
    expect(await vm.agent.ok(`unplug ${addr + 8 * block} 8`)).toBe('ack');
  });

  it.each([
    ['over the region', '5G'],
    ['not a multiple of the block size', '3M'],
    ['negative', '-1'],
    ['no size', 'lots'],
  ])('is refused when it is %s, and nothing changes', async (_why, size) => {
    const vm = await bootAgent({ virtioMem: ['size=4G,requested-size=64M,block-size=2M'] });
    const before = await vm.agent.initMem();
    const monitor = await vm.monitor();
    expect(await monitor.command(`qom-set vm0 requested-size ${size}`)).toMatch(/^Error: .*\n$/);
    expect(await vm.agent.memConfig()).toEqual(before);
  });
});

describe('the usable region', () => {
  it('grows with the requested size, and shrinks only at UNPLUG_ALL', async () => {
    const vm = await bootAgent({ virtioMem: ['size=4G,requested-size=1G'] });
    await vm.agent.initMem();
    const monitor = await vm.monitor();
    const usable = async () => (await vm.agent.memConfig()).usable;
    expect(await usable()).toBe(GIB + 256 * MIB);
    await monitor.command('qom-set vm0 requested-size 2G');
    expect(await usable()).toBe(2 * GIB + 256 * MIB);
    await monitor.command('qom-set vm0 requested-size 128M');
    expect(await usable()).toBe(2 * GIB + 256 * MIB);
    await vm.agent.ok('unplug-all');
    expect(await usable()).toBe(384 * MIB);
    await monitor.command('qom-set vm0 requested-size 0');
    await vm.agent.ok('unplug-all');
    expect(await usable()).toBe(0);
  });

  it('never leaves the region', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=1G'] });
    expect((await vm.agent.initMem()).usable).toBe(GIB);
  });
});

describe('a guest that follows', () => {
  it('grows and shrinks with the monitor', async () => {
    const vm = await bootAgent({ virtioMem: ['size=8G,dynamic-memslots=on'] });
    await vm.agent.initMem();
    await vm.agent.ok('follow');
    const monitor = await vm.monitor();
    for (const size of [2 * GIB, 512 * MIB, 8 * GIB, 0, GIB]) {
      await monitor.command(`qom-set vm0 requested-size ${size}`);
      await expect
        .poll(() => monitor.value('info memory-devices', 'size'), { timeout: 60_000 })
        .toBe(String(size));
    }
  });

  it('ends where the last of many changes says', async () => {
    const vm = await bootAgent({ virtioMem: ['size=8G,dynamic-memslots=on'] });
    await vm.agent.initMem();
    await vm.agent.ok('follow');
    const monitor = await vm.monitor();
    for (let i = 0; i < 40; i++) {
      await monitor.command(`qom-set vm0 requested-size ${(i * 7) % 64}00M`);
    }
    await monitor.command('qom-set vm0 requested-size 300M');
    await expect
      .poll(() => monitor.value('info memory-devices', 'size'), { timeout: 60_000 })
      .toBe(String(300 * MIB));
  });
});

describe('several devices', () => {
  it('have regions of their own and grow on their own', async () => {
    const vm = await bootAgent({
      virtioMem: ['id=a,size=2G,requested-size=64M', 'id=b,size=4G,requested-size=128M', 'size=1G'],
    });
    const first = await vm.agent.initMem('0');
    const second = await vm.agent.initMem('1');
    const third = await vm.agent.initMem('2');
    expect(second.addr).toBeGreaterThanOrEqual(first.addr + first.region);
    expect(third.addr).toBeGreaterThanOrEqual(second.addr + second.region);
    expect([first.requested, second.requested, third.requested]).toEqual([64 * MIB, 128 * MIB, 0]);
    for (const [index, device] of [first, second].entries()) {
      await vm.agent.ok(`use ${index}`);
      expect(await vm.agent.ok('sync')).toContain(`plugged=${device.requested}`);
      await vm.agent.ok(`fill ${device.addr} ${device.requested} ${index}`);
    }
    await vm.agent.ok(`check ${first.addr} ${first.requested} 0`);
    await vm.agent.ok('use 0');
    await vm.agent.ok('unplug-all');
    await vm.agent.ok(`check ${second.addr} ${second.requested} 1`);
    const monitor = await vm.monitor();
    const shown = await monitor.command('info memory-devices');
    expect(shown.match(/"\w+"/g)).toEqual(['"a"', '"b"', '"vm2"']);
  });
});
