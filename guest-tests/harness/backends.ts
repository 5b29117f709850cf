import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { expect, onTestFinished } from 'vitest';
import { MIB } from './sizes.ts';
import { bootAgent, tempDir } from './test-vm.ts';
import type { Vm } from './vm.ts';

/** A backend as the option wants it, named `m`: of `ram,size=1G` it makes `ram,id=m,size=1G`. */
export function named(backend: string): string {
  return backend.replace(',', ',id=m,');
}

/** A machine whose memory device is on this backend. */
export function onBackend(backend: string, keys = ''): Promise<Vm> {
  return bootAgent({
    virtioMem: [`memdev=m,requested-size=64M${keys}`],
    args: ['--memory-backend', named(backend)],
  });
}

/** Fills blocks, unplugs some and then all of them: each reads zeros when it is plugged again. */
export async function expectZeroWhenPlugged(vm: Vm): Promise<void> {
  const { addr, block } = await vm.agent.initMem();
  expect(block).toBe(2 * MIB);
  expect(await vm.agent.ok(`plug ${addr} 8`)).toBe('ack');
  await vm.agent.ok(`zero ${addr} 16M`);
  await vm.agent.ok(`fill ${addr} 16M 1`);
  expect(await vm.agent.ok(`unplug ${addr + 2 * block} 2`)).toBe('ack');
  expect(await vm.agent.ok(`plug ${addr + 2 * block} 2`)).toBe('ack');
  await vm.agent.ok(`zero ${addr + 2 * block} 4M`);
  await vm.agent.ok(`check ${addr} 4M 1`);
  expect(await vm.agent.ok('unplug-all')).toBe('ack');
  expect(await vm.agent.ok(`plug ${addr} 8`)).toBe('ack');
  await vm.agent.ok(`zero ${addr} 16M`);
}

/** Ends with a line on stderr, not with a signal. */
export async function expectEnd(vm: Vm, line: RegExp): Promise<void> {
  expect(await vm.exited).toEqual({ code: 1, signal: null });
  expect(vm.process.stderr.transcript).toMatch(line);
}

/** A tmpfs of so many bytes. */
export function smallTmpfs(size: number): string {
  return mounted('tmpfs', `size=${size}`);
}

/** A file system that is gone after the test. */
export function mounted(type: string, options: string): string {
  const path = tempDir().file(type);
  mkdirSync(path);
  execFileSync('mount', ['-t', type, '-o', options, type, path]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', path]);
  });
  return path;
}
