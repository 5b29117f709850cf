import { createVm, type Vm, type VmOptions } from 'tsvmm';
import { SerialConsole } from 'tsvmm/testing';
import { onTestFinished } from 'vitest';
import { Agent } from '../harness/agent.ts';
import { guestPath } from '../harness/guests.ts';

/** The agent guest, with little memory. */
export const agentOptions = (options: Partial<VmOptions> = {}): VmOptions => ({
  kernel: guestPath('agent'),
  memory: '64M',
  ...options,
});

/** Something that can be asked, over a console. */
export function agentOn(console: SerialConsole): Agent {
  return new Agent(
    { expect: (wanted, timeoutMs) => console.expect(wanted, { timeoutMs }) },
    (text) => console.send(text),
  );
}

export interface AgentVm {
  readonly vm: Vm;
  readonly agent: Agent;
  readonly console: SerialConsole;
}

/** Starts a machine in this process, closed with the test, and waits until its agent answers. */
export async function startAgent(options: Partial<VmOptions> = {}): Promise<AgentVm> {
  const vm = await createVm(agentOptions(options));
  onTestFinished(() => vm.close());
  const console = new SerialConsole(vm.serial);
  const agent = agentOn(console);
  await vm.start();
  await agent.ready();
  return { vm, agent, console };
}

/** As `startAgent`, with a driver that does what the memory device is asked for. */
export async function startFollower(options: Partial<VmOptions> = {}): Promise<AgentVm> {
  const started = await startAgent({
    virtioMem: [{ id: 'vm0', size: '8G', dynamicMemslots: true }],
    ...options,
  });
  await started.agent.initMem();
  await started.agent.ok('follow');
  return started;
}
