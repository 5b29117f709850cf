import { describe, expect, it } from 'vitest';
import { bootAgent } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

/** How long the machine is paused, ms: the real-time clock counts seconds. */
const PAUSE_MS = 6000;
const SECOND = 1000;
const RTC_INDEX = '0x70';
const RTC_DATA = '0x71';

async function register(vm: Vm, index: number): Promise<number> {
  await vm.agent.ok(`out 1 ${RTC_INDEX} ${index}`);
  const bcd = Number(await vm.agent.ok(`in 1 ${RTC_DATA}`));
  return (bcd >> 4) * 10 + (bcd & 0xf);
}

/** The second of the hour by the guest's real-time clock. */
async function rtcSeconds(vm: Vm): Promise<number> {
  for (;;) {
    const minutes = await register(vm, 2);
    const seconds = await register(vm, 0);
    if ((await register(vm, 2)) === minutes) return 60 * minutes + seconds;
  }
}

/** What the guest's clock went on by over a pause, and how long it ran and stood, in ms. */
async function pause(args: readonly string[]) {
  const vm = await bootAgent({ args });
  const monitor = await vm.monitor();
  const start = performance.now();
  const from = await rtcSeconds(vm);
  await monitor.command('stop');
  const stopped = performance.now();
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  const paused = performance.now() - stopped;
  await monitor.command('cont');
  const seconds = ((await rtcSeconds(vm)) - from + 3600) % 3600;
  return { clock: seconds * SECOND, running: performance.now() - start - paused, paused };
}

describe("the guest's real-time clock over a pause", () => {
  it('stands still', async () => {
    const { clock, running } = await pause([]);
    // It counts whole seconds: one may have begun just before.
    expect(clock).toBeLessThan(running + SECOND);
  });

  it('goes on with --pause-clock run', async () => {
    const { clock, paused } = await pause(['--pause-clock', 'run']);
    expect(clock).toBeGreaterThan(paused - SECOND);
  });
});
