import type { Agent } from '../../../guest-tests/harness/agent.ts';
import type { Monitor } from '../../../guest-tests/harness/monitor.ts';
import { GIB } from '../../../guest-tests/harness/sizes.ts';
import { availableBytes } from '../host.ts';
import type { Measurement, Values } from '../measurement.ts';
import { AgentVm, type Vmm } from '../vmm.ts';

const HUGE_PAGE = 2 * 1024 * 1024;

interface Polled {
  /** The longest that the monitor took to answer, ms. */
  readonly longestMs: number;
  /** How long `work` took, ms. */
  readonly workMs: number;
}

/** Asks the monitor without a pause until `work` is done. */
async function pollDuring(monitor: Monitor, work: Promise<unknown>): Promise<Polled> {
  const start = performance.now();
  const state: { done: boolean; workMs: number } = { done: false, workMs: 0 };
  const finished = work.finally(() => {
    state.done = true;
    state.workMs = performance.now() - start;
  });
  let longestMs = 0;
  do {
    const asked = performance.now();
    await monitor.command('info status');
    longestMs = Math.max(longestMs, performance.now() - asked);
  } while (!state.done);
  await finished;
  return { longestMs, workMs: state.workMs };
}

/** Plugs `bytes` and writes to every huge page of it. */
async function plugAndTouch(agent: Agent, bytes: number): Promise<void> {
  await agent.ok('sync');
  const { addr } = await agent.memConfig();
  await agent.ok(`touch ${addr} ${bytes} ${HUGE_PAGE}`);
}

async function measure(vm: AgentVm, gib: number): Promise<Values> {
  const { agent } = vm;
  const monitor = await vm.monitor();
  // The first use of a command may load it.
  await monitor.command('info status');
  await agent.initMem();
  await plugAndTouch(agent, gib * GIB);
  const quiet = await pollDuring(monitor, agent.ok('spin 1000'));
  const whole = await pollDuring(monitor, agent.ok('unplug-all'));
  await plugAndTouch(agent, gib * GIB);
  // The guest is asked to shrink, and gives back 64 blocks a request.
  await monitor.command('qom-set vm0 requested-size 0');
  const pieces = await pollDuring(monitor, agent.ok('sync'));
  return {
    'stall size GiB': gib,
    'stall ms': Math.max(whole.longestMs, pieces.longestMs),
    'stall unplug-all ms': whole.longestMs,
    'stall requests ms': pieces.longestMs,
    'stall without work ms': quiet.longestMs,
    'unplug touched at once ms': whole.workMs,
    'unplug touched by 64 blocks ms': pieces.workMs,
  };
}

async function run(vmm: Vmm, quick: boolean): Promise<Values> {
  const spare = Math.floor(availableBytes() / GIB) - 2;
  const gib = Math.min(quick ? 1 : 8, spare);
  if (gib < 1) throw new Error('stall: this machine has not 3 GiB to spare');
  const device = { size: '1T', requested: `${gib}G`, dynamic: true };
  return await AgentVm.run(vmm, device, (vm) => measure(vm, gib));
}

/**
 * How long the VMM's main loop is away while touched memory is unplugged: the longest of all
 * answers of a monitor that is asked `info status` over a socket without a pause.
 */
export const stall: Measurement = { name: 'stall', run, maxRounds: 5 };
