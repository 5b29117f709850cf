import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Measurement, Values } from '../measurement.ts';
import { commandFor, type CommandLine, type Vmm } from '../vmm.ts';

/** Starts it. @returns ms from before the exec to the first byte of its output */
async function firstByteMs({ file, args, env }: CommandLine): Promise<number> {
  const start = performance.now();
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const closed = once(child, 'close');
  try {
    const first = await Promise.race([
      once(child.stdout, 'data').then(() => performance.now()),
      closed.then(() => undefined),
    ]);
    if (first === undefined) throw new Error(`${file} says nothing: ${errors}`);
    return first - start;
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
}

async function run(vmm: Vmm): Promise<Values> {
  const startMs = (size: string): Promise<number> => {
    const device = { size, dynamic: true };
    return firstByteMs(commandFor(vmm, { guest: 'hello', device }));
  };
  const values: Record<string, number> = {
    'start-up ms': await startMs('1T'),
    'start-up 16 TiB ms': await startMs('16T'),
  };
  if (vmm.name === 'tsvmm') {
    // What Node.js itself takes, measured alike: the floor of the row above.
    const args = ['-e', 'require("fs").writeSync(1, "x")'];
    values['start-up node ms'] = await firstByteMs({
      file: process.execPath,
      args,
      env: process.env,
    });
  }
  return values;
}

/** From exec of the VMM to the first byte that the guest sends with its first instructions. */
export const startUp: Measurement = { name: 'start-up', run };
