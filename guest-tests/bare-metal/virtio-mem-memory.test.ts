import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';

/** What a test allows beside the memory in question. */
const SLACK = 48 * MIB;

describe.each(['off', 'on'])('plugged memory, dynamic-memslots=%s', (dynamic) => {
  const keys = `size=4G,requested-size=512M,dynamic-memslots=${dynamic}`;

  it('reads zeros, and keeps what is written', async () => {
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 8`);
    await vm.agent.ok(`zero ${addr} 16M`);
    await vm.agent.ok(`fill ${addr} 16M 1`);
    await vm.agent.ok(`check ${addr} 16M 1`);
  });

  it('reads zeros when it is plugged again, and its neighbours keep theirs', async () => {
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr, block } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 6`);
    await vm.agent.ok(`fill ${addr} ${6 * block} 2`);
    expect(await vm.agent.ok(`unplug ${addr + 2 * block} 2`)).toBe('ack');
    expect(await vm.agent.ok(`plug ${addr + 2 * block} 2`)).toBe('ack');
    await vm.agent.ok(`zero ${addr + 2 * block} ${2 * block}`);
    await vm.agent.ok(`check ${addr} ${2 * block} 2`);
    await vm.agent.ok(`check ${addr + 4 * block} ${2 * block} 2`);
  });

  it('is resident only once touched, and given back before UNPLUG is answered', async () => {
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr, block, requested } = await vm.agent.initMem();
    const idle = vm.residentBytes();
    await vm.agent.ok(`plug ${addr} ${requested / block}`);
    expect(vm.residentBytes()).toBeLessThan(idle + SLACK);
    await vm.agent.ok(`touch ${addr} ${requested}`);
    expect(vm.residentBytes()).toBeGreaterThan(idle + requested - SLACK);
    expect(await vm.agent.ok(`unplug ${addr} ${requested / block / 2}`)).toBe('ack');
    expect(vm.residentBytes()).toBeLessThan(idle + requested / 2 + SLACK);
    expect(await vm.agent.ok('unplug-all')).toBe('ack');
    expect(vm.residentBytes()).toBeLessThan(idle + SLACK);
  });

  it('reads zeros after UNPLUG_ALL', async () => {
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 4`);
    await vm.agent.ok(`fill ${addr} 8M 3`);
    await vm.agent.ok('unplug-all');
    await vm.agent.ok(`plug ${addr} 4`);
    await vm.agent.ok(`zero ${addr} 8M`);
  });
});

describe('prealloc', () => {
  it('makes a block resident before the guest has touched it', async () => {
    const vm = await bootAgent({
      virtioMem: ['size=1G,requested-size=256M,prealloc=on,dynamic-memslots=on'],
    });
    const { addr, block, requested } = await vm.agent.initMem();
    const idle = vm.residentBytes();
    expect(await vm.agent.ok(`plug ${addr} ${requested / block}`)).toBe('ack');
    expect(vm.residentBytes()).toBeGreaterThan(idle + requested - SLACK);
    await vm.agent.ok(`zero ${addr} ${requested}`);
    expect(await vm.agent.ok('unplug-all')).toBe('ack');
    expect(vm.residentBytes()).toBeLessThan(idle + SLACK);
  });
});

describe('a large unplug', () => {
  it('does not keep the monitor waiting, and is answered in ring order', async () => {
    const vm = await bootAgent({
      virtioMem: ['size=8G,requested-size=2G,dynamic-memslots=on'],
    });
    const { addr, block, requested } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    await vm.agent.ok(`plug ${addr} ${requested / block}`);
    await vm.agent.ok(`touch ${addr} 2G`);
    const unplugged = vm.agent.ok('unplug-all');
    for (let i = 0; i < 5; i++) {
      expect(await monitor.command('info status')).toBe('VM status: running\n');
    }
    expect(await unplugged).toBe('ack');
    expect(requested).toBe(2 * GIB);
  });
});
