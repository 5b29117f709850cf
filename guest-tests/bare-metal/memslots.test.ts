import { describe, expect, it } from 'vitest';
import { vmallocUsedBytes } from '../harness/host.ts';
import type { Monitor } from '../harness/monitor.ts';
import { GIB, MIB, TIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';

/** Active slots of a device, by the guest-physical addresses that the monitor shows. */
async function activeSlots(monitor: Monitor, device: string): Promise<readonly string[]> {
  const output = await monitor.command('info memslots');
  return output
    .split('\n')
    .filter((line) => line.trimEnd().endsWith(device))
    .map((line) => /0x[0-9a-f]+/.exec(line)?.[0] ?? line);
}

const hex = (value: number): string => `0x${value.toString(16)}`;

describe('dynamic memslots', () => {
  it('are active exactly where something is plugged', async () => {
    const vm = await bootAgent({ virtioMem: ['size=16G,requested-size=4G,dynamic-memslots=on'] });
    const { addr } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    expect(await activeSlots(monitor, 'vm0')).toEqual([]);
    await vm.agent.ok(`plug ${addr} 1`);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr)]);
    await vm.agent.ok(`plug ${addr + 3 * GIB} 1`);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr), hex(addr + 3 * GIB)]);
    await vm.agent.ok(`unplug ${addr} 1`);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr + 3 * GIB)]);
    await vm.agent.ok('unplug-all');
    expect(await activeSlots(monitor, 'vm0')).toEqual([]);
  });

  it('serve a request that crosses from one slot into the next', async () => {
    const vm = await bootAgent({ virtioMem: ['size=16G,requested-size=4G,dynamic-memslots=on'] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    const start = addr + GIB - 2 * block;
    expect(await vm.agent.ok(`plug ${start} 4`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr), hex(addr + GIB)]);
    await vm.agent.ok(`fill ${start} ${4 * block} 9`);
    await vm.agent.ok(`check ${start} ${4 * block} 9`);
    expect(await vm.agent.ok(`unplug ${start + block} 2`)).toBe('ack');
    await vm.agent.ok(`check ${start} ${block} 9`);
    await vm.agent.ok(`check ${start + 3 * block} ${block} 9`);
    expect(await vm.agent.ok(`unplug ${start} 1`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr + GIB)]);
    await vm.agent.ok(`check ${start + 3 * block} ${block} 9`);
  });

  it('serve a request that spans a whole slot and its neighbours', async () => {
    const vm = await bootAgent({ virtioMem: ['size=16G,requested-size=4G,dynamic-memslots=on'] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    const start = addr + GIB - block;
    const blocks = GIB / block + 2;
    expect(await vm.agent.ok(`plug ${start} ${blocks}`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toHaveLength(3);
    for (const at of [start, addr + GIB, addr + 2 * GIB - block, addr + 2 * GIB]) {
      await vm.agent.ok(`poke 8 ${at} ${at}`);
    }
    for (const at of [start, addr + GIB, addr + 2 * GIB - block, addr + 2 * GIB]) {
      expect(await vm.agent.number(`peek 8 ${at}`)).toBe(at);
    }
    expect(await vm.agent.ok(`unplug ${start} ${blocks}`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([]);
  });

  it('have the size that the user gives', async () => {
    const keys = 'size=4G,requested-size=1G,dynamic-memslots=on,memslot-size=128M';
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    await vm.agent.ok(`plug ${addr + 128 * MIB - block} 2`);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr), hex(addr + 128 * MIB)]);
  });

  it('answer all ones where nothing is plugged, and nobody guards it', async () => {
    const keys = 'size=16G,requested-size=4G,dynamic-memslots=on,protect-unplugged=off';
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.number(`peek 4 ${addr}`)).toBe(0xffff_ffff);
    await vm.agent.ok(`poke 4 ${addr} 1`);
    await vm.agent.ok(`plug ${addr} 1`);
    expect(await vm.agent.number(`peek 4 ${addr}`)).toBe(0);
  });
});

describe('a static memslot', () => {
  it('covers the whole region all the time', async () => {
    const vm = await bootAgent({ virtioMem: ['size=16G,requested-size=4G'] });
    const { addr } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr)]);
    await vm.agent.ok(`plug ${addr + GIB} 1`);
    await vm.agent.ok('unplug-all');
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr)]);
  });
});

describe('a device of 1 TiB', () => {
  const keys = 'size=1T,requested-size=4G,dynamic-memslots=on';

  it('works from its first block to its last usable one', async () => {
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr, block, region, usable } = await vm.agent.initMem();
    expect(region).toBe(TIB);
    const last = addr + usable - block;
    for (const at of [addr, last]) {
      expect(await vm.agent.ok(`plug ${at} 1`)).toBe('ack');
      await vm.agent.ok(`fill ${at} ${block} 4`);
      await vm.agent.ok(`check ${at} ${block} 4`);
    }
  });

  it('reaches its very last block when all of it is requested', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1T,requested-size=1T,dynamic-memslots=on'] });
    const { addr, block, region } = await vm.agent.initMem();
    const last = addr + region - block;
    expect(await vm.agent.ok(`plug ${last} 1`)).toBe('ack');
    await vm.agent.ok(`fill ${last} ${block} 5`);
    await vm.agent.ok(`check ${last} ${block} 5`);
    expect(await vm.agent.ok(`plug ${last} 2`)).toBe('error');
  });

  it('takes next to no kernel memory while nothing is plugged', async () => {
    // Others on this host may take and free kernel memory meanwhile: the best of three counts.
    const taken: number[] = [];
    for (let round = 0; round < 3; round++) {
      const before = vmallocUsedBytes();
      const vm = await bootAgent({ virtioMem: [keys] });
      taken.push(vmallocUsedBytes() - before);
      await vm.agent.ok('poweroff');
      await vm.exited;
    }
    expect(Math.min(...taken)).toBeLessThan(64 * MIB);
  });

  it('tells what a static slot would have cost', async () => {
    const vm = await bootAgent({ virtioMem: [keys] });
    const monitor = await vm.monitor();
    const output = await monitor.command('info memslots');
    const [now, fixed] = [...output.matchAll(/\((\d+) bytes\)/g)].map((match) => Number(match[1]));
    expect(now).toBeLessThan(16 * MIB);
    expect(fixed).toBeGreaterThan(256 * MIB);
  });
});
