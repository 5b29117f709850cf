import { describe, expect, it } from 'vitest';
import { bootAgent } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const F_UNPLUGGED_INACCESSIBLE = 1 << 1;
const F_INDIRECT_DESC = 1 << 28;
const F_EVENT_IDX = 1 << 29;
const F_VERSION_1 = 2 ** 32;

const STATUS = { acknowledge: 1, driver: 2, driverOk: 4, featuresOk: 8, needsReset: 64 } as const;

const boot = (keys = 'size=1G,requested-size=64M'): Promise<Vm> => bootAgent({ virtioMem: [keys] });

describe('feature negotiation', () => {
  it('offers what it can', async () => {
    const vm = await boot();
    const offered = BigInt(await vm.agent.ok('features'));
    const wanted = F_UNPLUGGED_INACCESSIBLE | F_INDIRECT_DESC | F_EVENT_IDX;
    expect(offered & BigInt(wanted)).toBe(BigInt(wanted));
    expect((offered >> 32n) & 1n).toBe(1n);
  });

  it('succeeds with everything, and sets DRIVER_OK', async () => {
    const vm = await boot();
    const { status } = await vm.agent.fields('virtio init 0');
    expect(status).toBe(STATUS.acknowledge | STATUS.driver | STATUS.featuresOk | STATUS.driverOk);
  });

  it('is refused without VERSION_1', async () => {
    const vm = await boot();
    expect(await vm.agent.ask(`virtio init 0 without=${F_VERSION_1}`)).toBe(
      'error features refused',
    );
  });

  it('is refused without UNPLUGGED_INACCESSIBLE when that is offered', async () => {
    const vm = await boot();
    const answer = await vm.agent.ask(`virtio init 0 without=${F_UNPLUGGED_INACCESSIBLE}`);
    expect(answer).toBe('error features refused');
    expect((await vm.agent.number('status')) & STATUS.featuresOk).toBe(0);
    // A driver that thinks again is welcome.
    await vm.agent.ok('virtio init 0');
  });

  it('does without UNPLUGGED_INACCESSIBLE when the user says off', async () => {
    const vm = await boot('size=1G,requested-size=64M,unplugged-inaccessible=off');
    const offered = await vm.agent.number('features');
    expect(Math.floor(offered / F_UNPLUGGED_INACCESSIBLE) % 2).toBe(0);
    await vm.agent.initMem();
  });

  it('is refused for a feature that was never offered', async () => {
    const vm = await boot();
    const offered = await vm.agent.number('features');
    expect(Math.floor(offered / 2 ** 23) % 2).toBe(0);
    expect(await vm.agent.ask(`virtio init 0 features=${offered + 2 ** 23}`)).toBe(
      'error features refused',
    );
  });

  it.each([
    ['nothing but what is needed', `without=${F_INDIRECT_DESC + F_EVENT_IDX}`],
    ['no EVENT_IDX', `without=${F_EVENT_IDX}`],
    ['an indirect table for each request', 'indirect=1'],
    ['indirect tables and no EVENT_IDX', `indirect=1 without=${F_EVENT_IDX}`],
    ['a ring of two', 'size=2'],
  ])('serves a driver with %s', async (_what, options) => {
    const vm = await boot();
    const { addr } = await vm.agent.initMem(`0 ${options}`);
    for (let round = 0; round < 3; round++) {
      expect(await vm.agent.ok(`plug ${addr} 2`)).toBe('ack');
      expect(await vm.agent.ok(`state ${addr} 2`)).toBe('ack plugged');
      expect(await vm.agent.ok(`unplug ${addr} 2`)).toBe('ack');
    }
  });
});

describe('the common configuration', () => {
  it('has one queue of 128, disabled until the driver enables it', async () => {
    const vm = await boot();
    expect(await vm.agent.number('common 2 18')).toBe(1);
    await vm.agent.ok('common 2 22 0');
    expect(await vm.agent.number('common 2 24')).toBe(128);
    expect(await vm.agent.number('common 2 28')).toBe(0);
    await vm.agent.initMem();
    expect(await vm.agent.number('common 2 28')).toBe(1);
  });

  it('shows a queue size of 0 for a queue that does not exist', async () => {
    const vm = await boot();
    await vm.agent.ok('common 2 22 1');
    expect(await vm.agent.number('common 2 24')).toBe(0);
  });

  it('refuses an MSI-X vector that the table does not have', async () => {
    const vm = await boot();
    await vm.agent.ok('common 2 16 0x7ff');
    expect(await vm.agent.number('common 2 16')).toBe(0xffff);
  });

  it('forgets everything at a reset', async () => {
    const vm = await boot();
    await vm.agent.initMem();
    expect(await vm.agent.number('status 0')).toBe(0);
    expect(await vm.agent.number('common 2 28')).toBe(0);
    expect(await vm.agent.number('common 2 16')).toBe(0xffff);
  });

  it('is there byte by byte, and harmless outside of its fields', async () => {
    const vm = await boot();
    await vm.agent.initMem();
    for (const offset of [56, 60, 64, 0x400, 0xffc]) {
      await vm.agent.ok(`common 4 ${offset}`);
      await vm.agent.ok(`common 4 ${offset} 0xffffffff`);
    }
    expect(await vm.agent.number('common 1 20')).toBe(0xf);
  });
});

describe('the device configuration', () => {
  it('is read-only', async () => {
    const vm = await boot();
    const before = await vm.agent.initMem();
    for (const offset of [0, 8, 16, 24, 32, 40, 48]) {
      await vm.agent.ok(`config 4 ${offset} 0xffffffff`);
    }
    expect(await vm.agent.memConfig()).toEqual(before);
  });

  it('reads the same in bytes, words and double words', async () => {
    const vm = await boot();
    await vm.agent.initMem();
    const whole = await vm.agent.number('config 4 48');
    const bytes = [];
    for (let i = 0; i < 4; i++) bytes.push(await vm.agent.number(`config 1 ${48 + i}`));
    expect(Buffer.from(bytes).readUInt32LE(0)).toBe(whole);
    expect(await vm.agent.number('config 2 50')).toBe(whole >>> 16);
    expect(await vm.agent.number('config 8 48')).toBe(whole);
  });
});

describe('interrupts', () => {
  it('come by MSI-X for a used buffer, when the driver asks', async () => {
    const vm = await boot();
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 1`);
    expect(await vm.agent.field('irq', 'queue')).toBe(0);
    await vm.agent.ok('used-irq');
    await vm.agent.ok(`unplug ${addr} 1`);
    await expect.poll(() => vm.agent.field('irq', 'queue')).toBe(1);
  });

  it('come by INTx to a driver without MSI-X, and the ISR says why', async () => {
    const vm = await boot();
    const { addr } = await vm.agent.initMem('0 irq=intx');
    await vm.agent.ok('used-irq');
    await vm.agent.ok(`plug ${addr} 1`);
    await expect.poll(() => vm.agent.field('irq', 'intx')).toBeGreaterThan(0);
    expect(await vm.agent.field('isr', 'taken')).toBe(1);
    const monitor = await vm.monitor();
    await monitor.command('qom-set vm0 requested-size 32M');
    await vm.agent.ok('wait-config 1');
    expect(await vm.agent.field('isr', 'taken')).toBe(2);
    // Reading the ISR lowered the line: no storm.
    const count = await vm.agent.field('irq', 'intx');
    expect(await vm.agent.field('irq', 'intx')).toBe(count);
  });
});
