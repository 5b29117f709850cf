import { createVm } from 'tsvmm';
import { describe, expect, it } from 'vitest';
import { openFiles } from '../harness/host.ts';
import { tempDir } from '../harness/test-vm.ts';
import { agentOptions, startFollower } from './agent-vm.ts';

/** What a process holds that a machine might have left there. */
function holdings(): object {
  const listeners = process
    .eventNames()
    .map((name) => `${String(name)}: ${process.listenerCount(name)}`)
    .sort();
  const resources = process
    .getActiveResourcesInfo()
    .filter((name) => name !== 'Timeout' && name !== 'Immediate')
    .sort();
  return { files: [...openFiles(process.pid)].sort(), listeners, resources };
}

async function settledHoldings(): Promise<object> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return holdings();
}

/** A whole life of a machine. */
async function live(): Promise<void> {
  const folder = tempDir();
  const { vm, agent } = await startFollower({
    cpus: 2,
    qmp: ['tcp:0', `unix:${folder.file('qmp')}`],
    monitor: `unix:${folder.file('monitor')}`,
  });
  const events = vm.events();
  await vm.memoryDevice('vm0').resize('1G');
  await agent.ok('info');
  await vm.reset();
  await events.next();
  await vm.close();
}

describe('a machine that is closed', () => {
  it('leaves no file, listener or handle', async () => {
    await live();
    const before = await settledHoldings();
    for (let round = 0; round < 5; round++) await live();
    // Some handles are closed by the next turn of the event loop.
    await expect.poll(holdings).toEqual(before);
  });

  it('leaves nothing when it could not be made', async () => {
    await createVm(agentOptions({ kernel: '/nowhere' })).catch(() => undefined);
    const before = await settledHoldings();
    for (let round = 0; round < 5; round++) {
      const refused = createVm(agentOptions({ kernel: '/nowhere', qmp: 'tcp:0' }));
      await expect(refused).rejects.toMatchObject({ name: 'ConfigError' });
    }
    // Some handles are closed by the next turn of the event loop.
    await expect.poll(holdings).toEqual(before);
  });

  it('leaves a signal without listeners', async () => {
    const { vm } = await startFollower();
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    await vm.memoryDevice('vm0').resize('64M', { signal });
    const events = vm.events({ signal });
    expect(listeners).toBe(1);
    await vm.close();
    await events.return?.();
    expect(listeners).toBe(0);
  });
});
