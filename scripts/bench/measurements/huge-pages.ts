import { GIB } from '../../../guest-tests/harness/sizes.ts';
import { availableBytes } from '../host.ts';
import type { Measurement, Values } from '../measurement.ts';
import { AgentVm, type Vmm } from '../vmm.ts';

const PAGE = 4096;

async function timedMs(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

/** Times the guest's first and next writes to every page of memory, and how long it takes to go. */
async function touch({ agent }: AgentVm, gib: number, name: string): Promise<Values> {
  const { addr } = await agent.memConfig();
  await agent.ok('sync');
  const pass = (): Promise<number> => timedMs(agent.ok(`touch ${addr} ${gib * GIB} ${PAGE}`));
  return {
    [`first touch ${name} ms`]: (await pass()) / gib,
    [`next touch ${name} ms`]: (await pass()) / gib,
    [`unplug ${name} ms`]: (await timedMs(agent.ok('unplug-all'))) / gib,
  };
}

async function measure(vmm: Vmm, gib: number, hugePages: boolean): Promise<Values> {
  const device = { size: '64G', requested: `${gib}G`, dynamic: true, hugePages };
  return await AgentVm.run(vmm, device, async (vm) => {
    const name = hugePages ? 'thp=on' : 'thp=off';
    await vm.agent.initMem();
    // A host that is a virtual machine itself may have to get its free memory back first.
    await touch(vm, gib, name);
    return await touch(vm, gib, name);
  });
}

async function run(vmm: Vmm, quick: boolean): Promise<Values> {
  // The other one has no such switch of its own that both sides of a comparison could use.
  if (vmm.name !== 'tsvmm') return {};
  const gib = Math.min(quick ? 1 : 4, Math.floor(availableBytes() / GIB) - 2);
  if (gib < 1) throw new Error('huge-pages: this machine has not 3 GiB to spare');
  return { ...(await measure(vmm, gib, false)), ...(await measure(vmm, gib, true)) };
}

/** What `thp=on` gains a guest that uses its memory, each for a GiB. */
export const hugePages: Measurement = { name: 'huge-pages', run, maxRounds: 5 };
