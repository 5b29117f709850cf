import { setTimeout as sleep } from 'node:timers/promises';
import { GIB } from '../../../guest-tests/harness/sizes.ts';
import { residentBytes, vmallocUsedBytes } from '../../../guest-tests/harness/host.ts';
import { cpuTimeMs } from '../host.ts';
import type { Measurement, Values } from '../measurement.ts';
import { median } from '../statistics.ts';
import { AgentVm, type Device, type Vmm } from '../vmm.ts';

/** Long enough for a VM that has ended to have given its memory back. */
const SETTLE_MS = 200;

/** What KVM took from before the start of a VM until `use` calls back, beside what `use` says. */
async function vmallocOf(
  vmm: Vmm,
  device: Device | undefined,
  use: (vm: AgentVm) => Promise<Values> = () => Promise.resolve({}),
): Promise<{ bytes: number; values: Values }> {
  await sleep(SETTLE_MS);
  const before = vmallocUsedBytes();
  return await AgentVm.run(vmm, device, async (vm) => {
    const values = await use(vm);
    return { bytes: vmallocUsedBytes() - before, values };
  });
}

/** Share of a core that a VM with a halted guest takes, in percent, over `ms`. */
async function idleCpuPercent(pid: number, ms: number): Promise<number> {
  const start = performance.now();
  const used = cpuTimeMs(pid);
  await sleep(ms);
  return (100 * (cpuTimeMs(pid) - used)) / (performance.now() - start);
}

async function runIdle(vmm: Vmm, quick: boolean): Promise<Values> {
  const bare = await vmallocOf(vmm, undefined);
  const device = { size: '1T', dynamic: true };
  const { bytes, values } = await vmallocOf(vmm, device, async ({ pid }) => {
    await sleep(500);
    const resident = residentBytes(pid);
    return { 'rss B': resident, 'idle cpu %': await idleCpuPercent(pid, quick ? 1000 : 10_000) };
  });
  return { 'vmalloc idle B': bytes - bare.bytes, ...values };
}

async function runStatic(vmm: Vmm): Promise<Values> {
  const bare = await vmallocOf(vmm, undefined);
  const { bytes } = await vmallocOf(vmm, { size: '1T', dynamic: false });
  return { 'vmalloc static B': bytes - bare.bytes };
}

/** Plugs `requested` in requests of 64 blocks, then unplugs all of it at once. */
async function plugAndUnplug(vm: AgentVm, before: () => void): Promise<Values> {
  await vm.agent.initMem();
  const { p99, total, max } = await vm.agent.fields('bench plug64');
  before();
  const unplugAll = await vm.agent.field('bench unplug-all', 'total');
  return {
    'plug64 p99 us': p99! / 1000,
    'plug64 max us': max! / 1000,
    'plug64 total ms': total! / 1e6,
    'unplug-all ms': unplugAll / 1e6,
  };
}

async function runPlugged(vmm: Vmm): Promise<Values> {
  const bare = await vmallocOf(vmm, undefined);
  const one = await vmallocOf(vmm, { size: '1T', requested: '1G', dynamic: true }, async (vm) => {
    await vm.agent.initMem();
    await vm.agent.ok('sync');
    return {};
  });
  await sleep(SETTLE_MS);
  const start = vmallocUsedBytes();
  let plugged = 0;
  const device = { size: '1T', requested: '64G', dynamic: true };
  const values = await AgentVm.run(vmm, device, (vm) =>
    plugAndUnplug(vm, () => {
      plugged = vmallocUsedBytes() - start;
    }),
  );
  return {
    'vmalloc 1G B': one.bytes - bare.bytes,
    'vmalloc 64G B': plugged - bare.bytes,
    ...values,
  };
}

const REMAP_BYTES = GIB;
const REMAP_TIMES = 5;
/** Far enough to be in another memslot, whatever the VMM makes of the device. */
const REMAP_DISTANCE = 32 * GIB;

/** ms that the guest takes to write to every page of a range that it has touched before. */
async function touchMs({ agent }: AgentVm, addr: number): Promise<number> {
  const start = performance.now();
  await agent.ok(`touch ${addr} ${REMAP_BYTES}`);
  return performance.now() - start;
}

async function touchAroundRemoval(vm: AgentVm): Promise<Values> {
  const { agent } = vm;
  const { addr, block } = await agent.initMem();
  await agent.ok(`plug ${addr} ${REMAP_BYTES / block}`);
  await touchMs(vm, addr);
  const other = addr + REMAP_DISTANCE;
  const mapped: number[] = [];
  const removed: number[] = [];
  for (let time = 0; time < REMAP_TIMES; time++) {
    await agent.ok(`plug ${other} 1`);
    await touchMs(vm, addr);
    mapped.push(await touchMs(vm, addr));
    await agent.ok(`unplug ${other} 1`);
    removed.push(await touchMs(vm, addr));
  }
  return { 'touch mapped ms': median(mapped), 'touch after removal ms': median(removed) };
}

async function runRemoval(vmm: Vmm): Promise<Values> {
  // Both with huge pages, as one of them has them anyway.
  const device = { size: '64G', requested: '40G', dynamic: true, hugePages: true };
  return await AgentVm.run(vmm, device, touchAroundRemoval);
}

/** What the guest notices of it when a memslot goes in which nothing is plugged any more. */
export const removal: Measurement = { name: 'removal', run: runRemoval };

/** A 1 TiB device with nothing plugged: host memory and CPU time. */
export const idle: Measurement = { name: 'idle', run: runIdle, maxRounds: 7 };

/** The same mapped as a whole: what dynamic memslots save. */
export const staticMemslot: Measurement = { name: 'static', run: runStatic, maxRounds: 1 };

/** The same with 1 GiB and 64 GiB plugged, and how long that took. */
export const plugged: Measurement = { name: 'plugged', run: runPlugged };
