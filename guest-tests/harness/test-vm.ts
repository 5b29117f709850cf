import { onTestFailed, onTestFinished } from 'vitest';
import type { Child } from './child.ts';
import { TempDir } from './temp-dir.ts';
import { spawnTsvmm } from './tsvmm.ts';
import { Vm, type VmOptions } from './vm.ts';

/** Characters of a transcript that a failed test shows. */
const SHOWN = 6000;

/** Starts a machine that ends with the test; a test that fails shows what it said. */
export function startVm(options: VmOptions = {}): Vm {
  const vm = new Vm(options);
  onTestFailed(() => console.error(vm.describe().slice(-SHOWN)));
  onTestFinished(() => vm.close());
  return vm;
}

/** Starts a machine with the agent and waits until it can be asked. */
export async function bootAgent(options: VmOptions = {}): Promise<Vm> {
  const vm = startVm(options);
  await vm.agent.ready();
  return vm;
}

/** Starts the command with these arguments; it ends with the test. */
export function startTsvmm(args: readonly string[], env?: NodeJS.ProcessEnv): Child {
  const child = spawnTsvmm(args, env);
  onTestFinished(async () => {
    await child.stop();
  });
  return child;
}

/** A folder that is gone after the test. */
export function tempDir(): TempDir {
  const temp = new TempDir();
  onTestFinished(() => temp.remove());
  return temp;
}
