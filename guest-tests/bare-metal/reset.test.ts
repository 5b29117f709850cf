import { describe, expect, it } from 'vitest';
import { MIB } from '../harness/sizes.ts';
import { bootAgent, startVm } from '../harness/test-vm.ts';

const KEYS = 'size=4G,requested-size=256M,dynamic-memslots=on';
const SLACK = 48 * MIB;

describe('a reboot', () => {
  it.each(['cf9', 'triple'])('by %s unplugs everything and keeps the request', async (way) => {
    const vm = await bootAgent({ virtioMem: [KEYS] });
    const { addr, block, requested } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    const idle = vm.residentBytes();
    await vm.agent.ok(`plug ${addr} ${requested / block}`);
    await vm.agent.ok(`fill ${addr} ${requested} 1`);
    await vm.agent.ok(`reboot ${way}`);
    await vm.agent.ready();
    expect(vm.residentBytes()).toBeLessThan(idle + SLACK);
    expect(await monitor.value('info memory-devices', 'size')).toBe('0');
    const after = await vm.agent.initMem();
    expect(after).toEqual({ ...after, addr, plugged: 0, requested });
    expect(await vm.agent.ok(`plug ${addr} ${requested / block}`)).toBe('ack');
    await vm.agent.ok(`zero ${addr} ${requested}`);
  });

  it.each([
    ['cf9', 'reboot'],
    ['triple', 'triple-fault'],
  ])('in a loop by %s is counted, and told of in moderation', async (way, kind) => {
    const vm = startVm({ append: `reboot ${way}` });
    const monitor = await vm.monitor();
    const resets = async (): Promise<number> => {
      const found = new RegExp(`resets: ${kind} (\\d+)`).exec(await monitor.command('info status'));
      return Number(found?.[1] ?? 0);
    };
    const start = performance.now();
    await expect.poll(resets, { timeout: 120_000 }).toBeGreaterThan(60);
    await monitor.command('stop');
    const seconds = (performance.now() - start) / 1000;
    const lines = vm.process.stderr.transcript.split('\n').filter((line) => line.includes('reset'));
    expect(lines.length).toBeLessThan(10 + 2 * seconds);
    expect(lines[0]).toContain(kind === 'reboot' ? 'asked for a reset' : 'triple fault');
  });

  it('shrinks the usable region to what is requested', async () => {
    const vm = await bootAgent({ virtioMem: ['size=4G,requested-size=2G'] });
    await vm.agent.initMem();
    const monitor = await vm.monitor();
    await monitor.command('qom-set vm0 requested-size 64M');
    await monitor.command('system_reset');
    await vm.agent.ready();
    expect((await vm.agent.initMem()).usable).toBe(320 * MIB);
  });

  it('many times over leaves nothing behind', async () => {
    const vm = await bootAgent({ virtioMem: [KEYS] });
    const resident: number[] = [];
    for (let round = 0; round < 10; round++) {
      const { addr } = await vm.agent.initMem();
      await vm.agent.ok(`plug ${addr} 64`);
      await vm.agent.ok(`touch ${addr} 128M`);
      await vm.agent.ok('reboot cf9');
      await vm.agent.ready();
      resident.push(vm.residentBytes());
    }
    expect(resident.at(-1)).toBeLessThan((resident[1] ?? 0) + SLACK);
  });

  it('in the middle of many requests is survived', async () => {
    const vm = await bootAgent({ virtioMem: [KEYS] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    for (let round = 0; round < 5; round++) {
      vm.process.write('storm state\n');
      await vm.serial.expect('storming\n');
      await monitor.command('info memory-devices');
      await monitor.command('system_reset');
      await vm.agent.ready();
      await vm.agent.initMem();
      expect(await vm.agent.ok(`plug ${addr} 1`)).toBe('ack');
      await vm.agent.ok(`zero ${addr} ${block}`);
    }
  });
});

describe('a reset of the device by its driver', () => {
  it('keeps every block plugged, with its contents', async () => {
    const vm = await bootAgent({ virtioMem: [KEYS] });
    const { addr, block } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 4`);
    await vm.agent.ok(`fill ${addr} ${4 * block} 6`);
    await vm.agent.ok('status 0');
    await vm.agent.ok(`check ${addr} ${4 * block} 6`);
    expect((await vm.agent.initMem()).plugged).toBe(4 * block);
    expect(await vm.agent.ok(`state ${addr} 4`)).toBe('ack plugged');
    await vm.agent.ok(`check ${addr} ${4 * block} 6`);
  });

  it('stops the queue: what is made available then is not served', async () => {
    const vm = await bootAgent({ virtioMem: [KEYS] });
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok('status 0');
    await vm.agent.ok(`request 0 0 ${addr} 1`);
    await vm.agent.ok('avail 0');
    await vm.agent.ok('kick');
    expect((await vm.agent.memConfig()).plugged).toBe(0);
    expect(await vm.agent.field('ring', 'used-idx')).toBe(0);
  });

  it('with requests in the ring, over and over, is survived', async () => {
    const vm = await bootAgent({ virtioMem: [KEYS] });
    for (let round = 0; round < 20; round++) {
      const { addr, block } = await vm.agent.initMem();
      for (let slot = 0; slot < 8; slot++) {
        await vm.agent.ok(`request ${slot} ${round % 2} ${addr + slot * block} 1`);
      }
      await vm.agent.ok('avail 0 2 4 6 8 10 12 14');
      await vm.agent.ok('kick');
      await vm.agent.ok('status 0');
    }
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok('unplug-all');
    expect(await vm.agent.ok(`plug ${addr} 1`)).toBe('ack');
  });
});
