import { ResizeError, type MemoryDeviceState, type Resize, type VmEvent } from 'tsvmm';
import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { startAgent, startFollower } from './agent-vm.ts';

async function failure(resize: Resize): Promise<ResizeError> {
  const error: unknown = await resize.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ResizeError)) throw new Error(`no ResizeError: ${String(error)}`);
  return error;
}

describe('resize', () => {
  it('resolves when the guest has grown, and when it has shrunk', async () => {
    const { vm, agent } = await startFollower();
    const device = vm.memoryDevice('vm0');
    expect(await device.resize('4G')).toMatchObject({ size: 4 * GIB, convergence: 'converged' });
    expect((await agent.memConfig()).plugged).toBe(4 * GIB);
    expect(await device.resize(256 * MIB)).toMatchObject({ size: 256 * MIB });
    expect((await agent.memConfig()).plugged).toBe(256 * MIB);
    expect(await device.resize('256M')).toMatchObject({ size: 256 * MIB });
  });

  it('tells its progress, and ends with what was asked', async () => {
    const { vm } = await startFollower();
    const sizes: number[] = [];
    for await (const state of vm.memoryDevice('vm0').resize('8G')) sizes.push(state.size);
    expect(sizes.at(-1)).toBe(8 * GIB);
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    expect(new Set(sizes).size).toBe(sizes.length);
  });

  it.each([
    ['vm0', '3M', 'not a multiple of the block size'],
    ['vm0', '9G', "more than the device's size"],
    ['vm0', 'lots', 'not a size'],
    ['vm0', -1, 'not a whole number'],
    ['vm7', '1G', 'no memory device has this id (there is vm0)'],
  ])('of %s to %s is refused, and says why', async (id, size, why) => {
    const { vm } = await startFollower();
    const error = await failure(vm.memoryDevice(id).resize(size));
    expect(error).toMatchObject({ code: 'REFUSED', device: id });
    expect(error.message).toContain(why);
    expect(await vm.memoryDevice('vm0').state()).toMatchObject({ requestedSize: 0 });
  });

  it('without a driver waits, up to a time limit', async () => {
    const { vm } = await startAgent({ virtioMem: ['size=1G'] });
    const error = await failure(vm.memoryDevice('vm0').resize('512M', { timeoutMs: 300 }));
    expect(error).toMatchObject({ code: 'TIMEOUT', state: { convergence: 'no-driver' } });
    expect(error.message).toBe(
      'vm0: not done after 0.3 s, at 0 B of 512 MiB: no driver has started the device',
    );
  });

  it('stalls when the guest does not go on', async () => {
    const { vm, agent } = await startAgent({ virtioMem: ['size=1G'] });
    await agent.initMem();
    const error = await failure(vm.memoryDevice('vm0').resize('512M'));
    expect(error).toMatchObject({
      code: 'STALLED',
      state: { convergence: 'plug-stalled', size: 0 },
    });
  });

  it('goes on waiting for a guest that stalls when asked to', async () => {
    const { vm, agent } = await startAgent({ virtioMem: ['size=1G'] });
    await agent.initMem();
    const resize = vm.memoryDevice('vm0').resize('512M', { onStall: 'wait' });
    await expect
      .poll(async () => (await vm.memoryDevice('vm0').state()).convergence, { timeout: 60_000 })
      .toBe('plug-stalled');
    await agent.ok('sync');
    expect(await resize).toMatchObject({ size: 512 * MIB });
  });

  it('is given up by a signal, with its reason', async () => {
    const { vm } = await startAgent({ virtioMem: ['size=1G'] });
    const controller = new AbortController();
    const resize = vm.memoryDevice('vm0').resize('512M', { signal: controller.signal });
    controller.abort(new Error('no longer wanted'));
    await expect(resize).rejects.toThrow('no longer wanted');
    const again = vm.memoryDevice('vm0').resize('256M', { signal: controller.signal });
    await expect(again).rejects.toThrow('no longer wanted');
    expect(await vm.memoryDevice('vm0').state()).toMatchObject({ requestedSize: 512 * MIB });
  });

  it('is superseded by another one', async () => {
    const { vm, agent } = await startAgent({ virtioMem: ['size=1G'] });
    await agent.initMem();
    const first = failure(vm.memoryDevice('vm0').resize('512M'));
    const second = vm.memoryDevice('vm0').resize('256M');
    expect(await first).toMatchObject({ code: 'SUPERSEDED' });
    await agent.ok('sync');
    expect(await second).toMatchObject({ size: 256 * MIB });
  });

  it('ends with the machine', async () => {
    const { vm } = await startAgent({ virtioMem: ['size=1G'] });
    const error = failure(vm.memoryDevice('vm0').resize('512M'));
    await vm.close();
    expect(await error).toMatchObject({ code: 'ENDED' });
    expect(await failure(vm.memoryDevice('vm0').resize('1G'))).toMatchObject({ code: 'ENDED' });
  });

  it('waits for a machine that is stopped', async () => {
    const { vm } = await startFollower();
    await vm.stop();
    const states: MemoryDeviceState[] = [];
    const resize = vm.memoryDevice('vm0').resize('1G');
    const error = await failure(vm.memoryDevice('vm0').resize('1G', { timeoutMs: 7_000 }));
    expect(error).toMatchObject({ code: 'TIMEOUT' });
    await vm.cont();
    for await (const state of resize) states.push(state);
    expect(states.at(-1)).toMatchObject({ size: GIB });
  });

  it('of two machines at once goes to each', async () => {
    const [first, second] = await Promise.all([startFollower(), startFollower()]);
    const [a, b] = await Promise.all([
      first.vm.memoryDevice('vm0').resize('1G'),
      second.vm.memoryDevice('vm0').resize('2G'),
    ]);
    expect([a.size, b.size]).toEqual([GIB, 2 * GIB]);
    expect((await first.agent.memConfig()).plugged).toBe(GIB);
    expect((await second.agent.memConfig()).plugged).toBe(2 * GIB);
  });
});

describe('events', () => {
  it('come in order up to the end', async () => {
    const { vm, console } = await startFollower();
    const events = vm.events();
    await vm.stop();
    await vm.cont();
    await vm.memoryDevice('vm0').resize('64M');
    console.send('poweroff\n');
    const seen: VmEvent[] = [];
    for await (const event of events) seen.push(event);
    expect(seen.map(({ type }) => type)).toEqual([
      'stop',
      'resume',
      'memory-device-size',
      'memory-device-convergence',
      'shutdown',
    ]);
    expect(seen[2]).toMatchObject({ id: 'vm0', size: 64 * MIB });
    expect(seen.at(-1)).toMatchObject({ guest: true, cause: 'power-off' });
  });

  it('end with a signal, and with the loop', async () => {
    const { vm } = await startAgent();
    const controller = new AbortController();
    const waiting = vm.events({ signal: controller.signal }).next();
    controller.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    const events = vm.events();
    await vm.stop();
    for await (const event of events) {
      expect(event.type).toBe('stop');
      break;
    }
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it('of a machine that has ended are none', async () => {
    const { vm } = await startAgent();
    await vm.close();
    expect(await vm.events().next()).toEqual({ done: true, value: undefined });
  });
});
