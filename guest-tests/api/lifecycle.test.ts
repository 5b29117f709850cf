import { ConfigError, createVm, HostError, type VmEvent } from 'tsvmm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { agentOptions, startAgent } from './agent-vm.ts';

describe('createVm', () => {
  it.each([
    [{ memory: '1M' }, 'BAD_SIZE', '--memory=1M'],
    [{ cpus: 0 }, 'BAD_CPUS', '--cpus=0'],
    [{ virtioMem: [{ size: '3M' }] }, 'BAD_VIRTIO_MEM', 'size=3145728'],
    [{ virtioMem: [{ size: 1.5 }] }, 'BAD_SIZE', 'size=1.5'],
    [{ virtioMem: [{ id: 'a,prealloc=on', size: '1G' }] }, 'BAD_OPTION', 'comma'],
    [{ virtioMem: ['size=1G,colour=red'] }, 'BAD_OPTION', 'unknown key colour'],
    [{ virtioMem: [{ memdev: 'm1' }] }, 'BAD_OPTION', 'no memory backend has this id'],
    [{ memory: { memdev: 'm' }, memoryBackends: ['ram,id=m,size=5000'] }, 'BAD_OPTION', '5000'],
    [{ memroy: '1G' }, 'BAD_OPTION', 'unknown option memroy'],
    [{ kernel: '' }, 'BAD_OPTION', 'kernel is missing'],
  ])('refuses %j as the command does', async (options, code, message) => {
    const refused = createVm(agentOptions(options as object));
    await expect(refused).rejects.toBeInstanceOf(ConfigError);
    await expect(refused).rejects.toMatchObject({ code });
    await expect(refused).rejects.toThrow(message);
  });

  it('takes backends and devices as keys', async () => {
    const { vm, agent } = await startAgent({
      memory: { memdev: 'boot' },
      memoryBackends: [
        { type: 'memfd', id: 'boot', size: '64M' },
        { type: 'ram', id: 'more', size: 2 ** 32 },
      ],
      virtioMem: [{ id: 'grow', memdev: 'more', requestedSize: '64M', blockSize: '4M' }],
    });
    expect(await agent.initMem()).toMatchObject({ block: 4 * 2 ** 20, requested: 64 * 2 ** 20 });
    expect(await vm.memoryDevice('grow').state()).toMatchObject({ maxSize: 2 ** 32, size: 0 });
  });
});

describe('a machine in this process', () => {
  it('starts, stops, goes on, resets and ends', async () => {
    const { vm, agent, console } = await startAgent();
    expect(await vm.status()).toBe('running');
    await vm.stop();
    expect(await vm.status()).toBe('paused');
    console.send('info\n');
    await expect(console.expect('ok', { timeoutMs: 200 })).rejects.toThrow('nothing in 200 ms');
    await vm.cont();
    await console.expect('ok');
    await console.expect('\n');
    await vm.reset();
    await agent.ready();
    console.send('poweroff\n');
    expect(await vm.ended).toEqual({ kind: 'power-off' });
    expect(await vm.status()).toBe('ended');
    await expect(vm.cont()).rejects.toMatchObject({ code: 'MACHINE_ENDED' });
    await vm.close();
  });

  it('is created, and can be closed before it runs', async () => {
    const vm = await createVm(agentOptions());
    expect(await vm.status()).toBe('created');
    await Promise.all([vm.close(), vm.close()]);
    expect(await vm.ended).toEqual({ kind: 'quit' });
    await expect(vm.start()).rejects.toBeInstanceOf(HostError);
  });

  it('does what it was told before it was started', async () => {
    const held = await createVm(agentOptions());
    await held.stop();
    expect(await held.status()).toBe('created');
    await held.start();
    expect(await held.status()).toBe('paused');
    await expect(held.start()).rejects.toBeInstanceOf(HostError);
    await held.cont();
    expect(await held.status()).toBe('running');
    await held.close();

    const begun = await createVm(agentOptions({ append: 'poweroff' }));
    await begun.reset();
    expect(await begun.status()).toBe('created');
    await begun.cont();
    await begun.start();
    expect(await begun.ended).toEqual({ kind: 'power-off' });
  });

  it('is given up by a signal while its memory is preallocated', async () => {
    const controller = new AbortController();
    const creating = createVm(
      agentOptions({
        memory: { memdev: 'm' },
        memoryBackends: [{ type: 'ram', id: 'm', size: '4G', prealloc: true }],
      }),
      { signal: controller.signal },
    );
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(creating).rejects.toThrow('enough');
    await expect(createVm(agentOptions(), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('does nothing more after its end', async () => {
    const vm = await createVm(agentOptions({ virtioMem: ['size=1G'] }));
    await vm.start();
    await vm.close();
    const ended = { code: 'MACHINE_ENDED' };
    await expect(vm.memoryDevice('vm0').request('64M')).rejects.toMatchObject(ended);
    for (const act of ['start', 'stop', 'cont', 'reset', 'powerDown'] as const) {
      await expect(vm[act]()).rejects.toMatchObject(ended);
    }
    for (const line of ['qom-set vm0 requested-size 64M', 'stop', 'cont', 'system_reset']) {
      expect(await vm.monitor(line)).toBe('Error: the machine has ended\n');
    }
    expect(await vm.memoryDevice('vm0').state()).toMatchObject({ requestedSize: 0 });
  });

  it('is closed by `await using`', async () => {
    let kept;
    {
      await using vm = await createVm(agentOptions());
      await vm.start();
      kept = vm;
    }
    expect(await kept.status()).toBe('ended');
  });

  it('tells that the guest cannot go on, and leaves stderr to the program', async () => {
    const vm = await createVm({ kernel: guestPath('stuck'), memory: '64M', reboot: false });
    const written = vi.spyOn(process.stderr, 'write');
    onTestFinished(() => written.mockRestore());
    const events: VmEvent[] = [];
    const following = (async () => {
      for await (const event of vm.events()) events.push(event);
    })();
    await vm.start();
    const end = await vm.ended;
    expect(end).toMatchObject({ kind: 'failed', error: { name: 'GuestError' } });
    await following;
    const report: unknown = expect.arrayContaining([expect.stringMatching(/^likely reason: /)]);
    expect(events).toMatchObject([{ type: 'guest-fault', report }, { type: 'shutdown' }]);
    expect(end).toMatchObject({ error: { report } });
    expect(written).not.toHaveBeenCalled();
    await vm.close();
  });

  it('runs beside another one', async () => {
    const [first, second] = await Promise.all([startAgent({ cpus: 2 }), startAgent()]);
    expect(await first.agent.ok('info')).not.toBe('');
    await first.vm.close();
    expect(await second.agent.ok('info')).not.toBe('');
  });
});
