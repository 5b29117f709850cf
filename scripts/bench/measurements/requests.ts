import type { Measurement, Values } from '../measurement.ts';
import { AgentVm, type Vmm } from '../vmm.ts';

const REQUESTS = ['plug', 'unplug', 'state'] as const;
const SILENCE_US = 100;

async function run(vmm: Vmm, quick: boolean): Promise<Values> {
  const device = { size: '1T', requested: '1G', dynamic: true };
  const count = quick ? 200 : 2000;
  return await AgentVm.run(vmm, device, async ({ agent }) => {
    await agent.initMem();
    const values: Record<string, number> = {};
    for (const request of REQUESTS) {
      const warmUp = quick ? 1000 : 5000;
      await agent.ok(`bench ${request} ${warmUp}`);
      for (const silence of [0, SILENCE_US]) {
        const { p50, p99 } = await agent.fields(`bench ${request} ${count} silence=${silence}`);
        const name = silence === 0 ? request : `${request} after silence`;
        values[`${name} us`] = p50! / 1000;
        values[`${name} p99 us`] = p99! / 1000;
      }
    }
    return values;
  });
}

/** One block a request, as the polling guest sees it: the median of a run, by the guest's TSC. */
export const requests: Measurement = { name: 'requests', run };
