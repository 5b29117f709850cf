import { spawn } from 'node:child_process';
import type { Measurement, Values } from '../measurement.ts';
import { AgentVm, type Vmm } from '../vmm.ts';

export const FIRST_REQUESTS = ['plug', 'unplug', 'state'] as const;
/** What a Linux guest that grows asks a fresh process for, and some. */
export const FIRST_COUNT = 2000;
/** How metrics end that are measured beside a program that never sleeps. */
export const BESIDE_NEIGHBOUR = ' beside a busy neighbour';

/** Runs `use` beside a program that takes all of one CPU. */
async function besideNeighbour<T>(use: () => Promise<T>): Promise<T> {
  const neighbour = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
  try {
    return await use();
  } finally {
    neighbour.kill('SIGKILL');
  }
}

/** The first requests of a fresh process each, from the first on: nothing is warm. */
async function first(vmm: Vmm, suffix: string): Promise<Values> {
  const device = { size: '1T', requested: '1G', dynamic: true };
  const values: Record<string, number> = {};
  for (const request of FIRST_REQUESTS) {
    const { total, p99 } = await AgentVm.run(vmm, device, async ({ agent }) => {
      await agent.initMem();
      return await agent.fields(`bench ${request} ${FIRST_COUNT}`);
    });
    values[`first ${request} total ms${suffix}`] = total! / 1e6;
    values[`first ${request} p99 us${suffix}`] = p99! / 1000;
  }
  return values;
}

async function run(vmm: Vmm): Promise<Values> {
  const quiet = await first(vmm, '');
  return { ...quiet, ...(await besideNeighbour(() => first(vmm, BESIDE_NEIGHBOUR))) };
}

/** What counts for a guest that grows once: the sum of all requests from the first one on. */
export const firstRequests: Measurement = { name: 'first-requests', run };
