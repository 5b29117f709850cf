import { expect } from 'vitest';
import { deviceResidentBytes } from './host.ts';
import type { Monitor } from './monitor.ts';
import { GIB, MIB } from './sizes.ts';
import { bootAgent } from './test-vm.ts';
import type { Vm } from './vm.ts';

export interface Scene {
  readonly vm: Vm;
  readonly monitor: Monitor;
  readonly addr: number;
  readonly block: number;
}

export const BLOCK = 2 * MIB;

/** Boot memory in a file without a name, so that all anonymous memory of its size is the device's. */
export const RAM = ['--memory-backend', 'memfd,id=boot,size=128M'];

export async function scene(keys: string, args: readonly string[] = [], cpus = 1): Promise<Scene> {
  const virtioMem = [`size=16G,requested-size=6G,block-size=2M,${keys}`];
  const vm = await bootAgent({ virtioMem, memory: 'memdev=boot', args: [...RAM, ...args], cpus });
  const { addr, block } = await vm.agent.initMem();
  return { vm, monitor: await vm.monitor(), addr, block };
}

export const resident = (vm: Vm): number => deviceResidentBytes(vm.pid, BLOCK);

export const hex = (value: number): string => `0x${value.toString(16)}`;

/** What `info status` says once the machine stands still. */
export async function paused(monitor: Monitor): Promise<string> {
  for (;;) {
    const status = await monitor.command('info status');
    if (status.includes('paused')) return status;
  }
}

export const violations = async (monitor: Monitor): Promise<number> =>
  Number(await monitor.value('info memory-devices -v', 'violations'));

/** Plugs four blocks of the first GiB, writes to them, and unplugs the second and the last. */
export async function plugSome({ vm, addr, block }: Scene): Promise<void> {
  expect(await vm.agent.ok(`plug ${addr} 4`)).toBe('ack');
  await vm.agent.ok(`fill ${addr} ${4 * block} 7`);
  expect(await vm.agent.ok(`unplug ${addr + block} 1`)).toBe('ack');
  expect(await vm.agent.ok(`unplug ${addr + 3 * block} 1`)).toBe('ack');
}

export const PLACES: Readonly<Record<string, (scene: Scene) => number>> = {
  'never plugged, and mapped nowhere': ({ addr }) => addr + 5 * GIB,
  'never plugged, among plugged memory': ({ addr, block }) => addr + 9 * block,
  'plugged once': ({ addr, block }) => addr + block,
  'the first half of it plugged': ({ addr, block }) => addr + block - 4,
};

/** Sends a command to the agent. @returns what it answers, or how the machine stands still */
export async function outcome({ vm, monitor }: Scene, command: string): Promise<string> {
  let told = '';
  vm.agent.ask(command).then(
    (answer) => (told = answer),
    () => undefined,
  );
  while (told === '') {
    const status = await monitor.command('info status');
    if (status.includes('paused')) told = status;
  }
  return told;
}
