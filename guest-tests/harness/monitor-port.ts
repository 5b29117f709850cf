import { onTestFinished } from 'vitest';
import { SocketClient } from './client.ts';
import { bootAgent } from './test-vm.ts';
import type { Vm, VmOptions } from './vm.ts';

/** Boots with the monitor on a free port. */
export async function bootWithPort(options: VmOptions = {}): Promise<{ vm: Vm; port: number }> {
  const vm = await bootAgent({ ...options, args: ['--monitor', 'tcp:0', ...(options.args ?? [])] });
  await vm.process.stderr.expect('"option":"--monitor"');
  const port = Number(/"option":"--monitor".*"port":(\d+)/.exec(vm.process.stderr.transcript)?.[1]);
  return { vm, port };
}

/** A client of a machine's port. */
export async function dial(vm: Vm, port: number): Promise<SocketClient> {
  const client = await SocketClient.dial(port, 'monitor', () => vm.process.describe());
  onTestFinished(() => client.destroy());
  return client;
}
