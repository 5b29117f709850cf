import { connectVm, type VmControl, type VmEvent } from 'tsvmm';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Agent } from '../harness/agent.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';
import { startAgent } from './agent-vm.ts';

interface Started {
  readonly vm: VmControl;
  readonly agent: Agent;
  /** Gives a line to the guest that it does not live to answer. */
  readonly say: (line: string) => void;
}

const VIRTIO_MEM = 'size=16G,block-size=2M,dynamic-memslots=on';

async function inThisProcess(): Promise<Started> {
  const { vm, agent, console } = await startAgent({ virtioMem: [VIRTIO_MEM] });
  return { vm, agent, say: (line) => console.send(line) };
}

async function inAnother(): Promise<Started> {
  const qmp = tempDir().file('qmp');
  const { agent, process } = await bootAgent({
    virtioMem: [VIRTIO_MEM],
    args: ['--qmp', `unix:${qmp}`, '--qmp-event-interval', '0'],
  });
  const vm = await connectVm(qmp);
  onTestFinished(() => vm.close());
  return { vm, agent, say: (line) => process.write(line) };
}

async function next<Type extends VmEvent['type']>(
  events: AsyncIterator<VmEvent, undefined>,
  type: Type,
): Promise<Extract<VmEvent, { type: Type }>> {
  const isIt = (it: VmEvent): it is Extract<VmEvent, { type: Type }> => it.type === type;
  for (;;) {
    const { value } = await events.next();
    if (value === undefined) throw new Error(`no ${type} came`);
    if (isIt(value)) return value;
  }
}

describe.each([
  ['this process', inThisProcess],
  ['another process', inAnother],
])('events of a machine in %s', (_name, start) => {
  const vm0 = { id: 'vm0', path: '/machine/peripheral/vm0' };

  it('tell how a memory device comes to its size', async () => {
    const { vm, agent } = await start();
    const { addr, block } = await agent.initMem();
    const events = vm.events();
    const requestedSize = 3 * block;
    await vm.memoryDevice('vm0').request(requestedSize);
    expect(await next(events, 'memory-device-convergence')).toMatchObject({
      ...{ ...vm0, state: 'stalled', reason: 'plug-stalled', size: 0, requestedSize },
    });
    await agent.ok(`plug ${addr} 1`);
    expect(await next(events, 'memory-device-convergence')).toMatchObject({
      ...{ ...vm0, state: 'resumed', size: block, requestedSize },
    });
    await agent.ok(`plug ${addr + block} 2`);
    expect(await next(events, 'memory-device-convergence')).toMatchObject({
      ...{ ...vm0, state: 'converged', reason: 'converged', size: requestedSize, requestedSize },
    });
  });

  it('tell of accesses to memory that is not plugged', async () => {
    const { vm, agent, say } = await start();
    const { addr } = await agent.initMem();
    const events = vm.events();
    say(`poke 8 ${addr} 5\n`);
    const where = { vcpu: 0, gpa: addr, rip: expect.any(BigInt) as bigint };
    expect(await next(events, 'violation')).toEqual({
      ...{ type: 'violation', ...vm0, ...where, access: 'write', action: 'stop', count: 1 },
    });
    await next(events, 'stop');
    expect(await vm.status()).toBe('paused');
  });
});
