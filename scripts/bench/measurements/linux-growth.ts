import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../../guest-tests/harness/child.ts';
import { Monitor } from '../../../guest-tests/harness/monitor.ts';
import { GIB } from '../../../guest-tests/harness/sizes.ts';
import { TempDir } from '../../../guest-tests/harness/temp-dir.ts';
import { Console } from '../../../guest-tests/linux/console.ts';
import type { Measurement, Values } from '../measurement.ts';
import { commandFor, type Linux, type Vmm } from '../vmm.ts';

const SCRIPTS = join(import.meta.dirname, '..', '..');
const SIZE = 8 * GIB;
/** Between two looks at a machine that takes seconds: looking takes the guest's time. */
const LOOK_MS = 100;

/** Whether the host's KVM can run Linux. */
function runsLinux(): boolean {
  try {
    execFileSync(process.execPath, [join(SCRIPTS, 'lib', 'has-hardware-kvm.mjs')]);
    return true;
  } catch {
    return false;
  }
}

function linux(): Linux {
  const args = ['--path', 'guest-kernel', 'guest-initrd'];
  const output = execFileSync(join(SCRIPTS, 'assets'), args, { encoding: 'utf8' });
  const [kernel = '', initrd = ''] = output.trim().split('\n');
  const append = 'console=ttyS0 quiet tsvmm.plain memhp_default_state=online_movable';
  return { kernel, initrd, append };
}

/** Asks the guest for a size, and waits until it has it. @returns ms */
async function resize(monitor: Monitor, bytes: number): Promise<number> {
  const start = performance.now();
  await monitor.command(`qom-set vm0 requested-size ${bytes}`);
  while (Number(await monitor.value('info memory-devices', 'size')) !== bytes) await sleep(LOOK_MS);
  return performance.now() - start;
}

async function run(vmm: Vmm): Promise<Values> {
  // Where it cannot: scripts/nested npm run bench -- --only linux-growth
  if (!runsLinux()) return {};
  const temp = new TempDir();
  const path = temp.file('monitor.sock');
  const device = { size: '1T', dynamic: true };
  const machine = { guest: linux(), memory: '2G', device, monitor: path };
  const { file, args, env } = commandFor(vmm, machine);
  const child = new Child(file, args, env);
  try {
    await new Console(child.stdout, (text) => child.write(text)).booted();
    const monitor = await Monitor.open(path, () => child.describe(), vmm.prompt);
    const grow = await resize(monitor, SIZE);
    const shrink = await resize(monitor, 0);
    monitor.close();
    return { 'linux grow ms': grow, 'linux shrink ms': shrink };
  } finally {
    await child.stop();
    temp.remove();
  }
}

/** What all of this is for: a guest that grows and shrinks. */
export const linuxGrowth: Measurement = { name: 'linux-growth', run, maxRounds: 3 };
