import { readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Monitor } from '../harness/monitor.ts';
import { hex } from '../harness/protection-scene.ts';
import { MIB } from '../harness/sizes.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const BLOCK = 2 * MIB;
/** As much as takes a moment to save. */
const SAVED = 384 * MIB;

interface Scene {
  readonly vm: Vm;
  readonly monitor: Monitor;
  readonly addr: number;
  readonly path: string;
}

/** A guest with `SAVED` bytes plugged and full, and as much again requested. */
async function scene(): Promise<Scene> {
  const keys = `size=4G,requested-size=${SAVED},block-size=2M,dynamic-memslots=on`;
  const vm = await bootAgent({ virtioMem: [keys] });
  const { addr } = await vm.agent.initMem();
  const monitor = await vm.monitor();
  expect(await vm.agent.ok(`plug ${addr} ${SAVED / BLOCK}`)).toBe('ack');
  await vm.agent.ok(`fill ${addr} ${SAVED} 5`);
  await monitor.command(`qom-set vm0 requested-size ${2 * SAVED}`);
  return { vm, monitor, addr, path: tempDir().file('saved') };
}

/** Starts to save plugged memory, and waits until some of it is in the file. */
async function startSaving({ vm, addr, path }: Scene): Promise<{ done: Promise<string> }> {
  const other = await vm.monitor();
  const done = other.command(`pmemsave ${hex(addr)} ${SAVED} ${path}`);
  while ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { done };
}

const held = async (monitor: Monitor): Promise<number> =>
  Number(await monitor.value('info memory-devices -v', 'held-requests'));

describe('while pmemsave reads memory', () => {
  it('whatever would change it is BUSY, and the diagnosis says why', async () => {
    const it = await scene();
    const { vm, monitor, addr, path } = it;
    const far = addr + SAVED + 64 * MIB;
    const { done } = await startSaving(it);
    expect(await vm.agent.ok(`unplug ${far} 1`)).toBe('error');
    expect(await vm.agent.ok(`plug ${far} 1`)).toBe('busy');
    expect(await vm.agent.ok(`unplug ${addr} 4`)).toBe('busy');
    expect(await vm.agent.ok('unplug-all')).toBe('busy');
    expect(await vm.agent.ok(`state ${addr} 4`)).toBe('ack plugged');
    const cause = await monitor.value('info memory-devices -v', 'convergence');
    expect(cause).toContain('answered BUSY: memory is held for pmemsave');
    expect(await held(monitor)).toBe(3);
    expect(await done).toBe('');
    expect(await vm.agent.ok(`unplug ${addr} 4`)).toBe('ack');
    expect(await held(monitor)).toBe(3);
    // Nothing of what was plugged is missing from the file.
    const saved = new BigUint64Array(readFileSync(path).buffer);
    expect(saved).toHaveLength(SAVED / 8);
    expect(saved.includes(0n)).toBe(false);
    await vm.agent.ok(`check ${addr + 4 * BLOCK} ${SAVED - 4 * BLOCK} 5`);
  });

  it('a resize is taken, and the guest goes on with it when memory is saved', async () => {
    const it = await scene();
    const { vm, monitor } = it;
    const { done } = await startSaving(it);
    await vm.agent.ok('follow');
    await monitor.command(`qom-set vm0 requested-size ${SAVED + 64 * MIB}`);
    expect((await vm.agent.memConfig()).requested).toBe(SAVED + 64 * MIB);
    expect(await held(monitor)).toBeGreaterThan(0);
    expect((await vm.agent.memConfig()).plugged).toBe(SAVED);
    expect(await done).toBe('');
    // No other cause for the guest to try again than the reminder.
    while ((await vm.agent.memConfig()).plugged !== SAVED + 64 * MIB);
    expect(await monitor.value('info memory-devices -v', 'convergence')).toMatch(
      /^size is as requested: it is plugged; .* online/,
    );
  });

  it('a system reset does not wait for it', async () => {
    const it = await scene();
    const { vm, monitor } = it;
    const { done } = await startSaving(it);
    await monitor.command('system_reset');
    await vm.agent.ready();
    expect((await vm.agent.initMem()).plugged).toBe(0);
    await done;
    expect(await vm.agent.ok('plug 0x100000000 1')).toBe('ack');
  });
});
