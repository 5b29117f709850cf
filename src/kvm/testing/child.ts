import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ADDON = fileURLToPath(new URL('../../../build/Release/tsvmm.node', import.meta.url));

/**
 * What the scripts start with: `addon`, `start(code)` giving a VM with one vCPU whose exits go to
 * `onExit`, and counts of what a leak would leave behind.
 */
const PRELUDE = `
const { readdirSync, readFileSync, readlinkSync } = require('node:fs');
const { setImmediate: turn, setTimeout: pass } = require('node:timers/promises');
const addon = require(process.env.ADDON);
const links = () => readdirSync('/proc/self/fd').map((fd) => {
  try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; }
});
const descriptors = () => links().filter((it) => /kvm|eventfd|memfd/.test(it)).sort().join(' ');
const threads = () => readdirSync('/proc/self/task').filter((id) => {
  try { return /^vcpu/.test(readFileSync('/proc/self/task/' + id + '/comm', 'utf8')); }
  catch { return false; }
}).length;
const maps = () => readFileSync('/proc/self/maps', 'utf8').split('\\n');
const mappings = () => maps().filter((it) => /kvm-vcpu/.test(it)).length;
function start(code, callbacks = {}) {
  const kvm = addon.openKvm('/dev/kvm');
  const vm = kvm.createVm();
  kvm.close();
  vm.setTssAddr(0xfffbd000);
  const memory = addon.mapMemory({ size: 0x10000, alignment: 4096, shared: false, noReserve: false, access: 'read-write' });
  memory.write(0x1000, Uint8Array.from(code));
  vm.setMemslot({ slot: 0, flags: 0, gpa: 0, size: 0x10000, mapping: memory, offset: 0 });
  const vcpu = vm.createVcpu(0);
  const sregs = vcpu.getState('sregs');
  sregs.fill(0, 0, 8); sregs.fill(0, 12, 14);
  vcpu.setState('sregs', sregs);
  const regs = new DataView(new ArrayBuffer(144));
  regs.setBigUint64(128, 0x1000n, true); regs.setBigUint64(136, 2n, true);
  vcpu.setState('regs', new Uint8Array(regs.buffer));
  vm.setCallbacks({ onExit: callbacks.onExit ?? (() => {}), onPosted: callbacks.onPosted ?? (() => {}) });
  vcpu.run();
  return { vm, vcpu, memory };
}
const SPIN = [0xeb, 0xfe];
`;

export interface ChildResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runNode(args: readonly string[]): Promise<ChildResult> {
  const options = { env: { ...process.env, ADDON }, timeout: 50_000 };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr });
    });
  });
}

/** Runs a script in a Node of its own that can force garbage collection. */
export function runChild(script: string): Promise<ChildResult> {
  return runNode(['--expose-gc', '-e', `${PRELUDE}\n(async () => {${script}\n})();`]);
}

/** Runs a script of this folder, which is told where the addon is, in a Node of its own. */
function runScript(name: string, args: readonly string[]): Promise<ChildResult> {
  return runNode([fileURLToPath(new URL(name, import.meta.url)), ADDON, ...args]);
}

/** Ends `count` workers of each kind (busy-kinds.mjs). */
export function runWorkers(count: number, kinds: readonly string[]): Promise<ChildResult> {
  return runScript('busy-workers.mjs', [String(count), ...kinds]);
}

/** Stops `count` scripts of each kind by the time that they were given. */
export function runStoppedScripts(count: number, kinds: readonly string[]): Promise<ChildResult> {
  return runScript('stopped-scripts.mjs', [String(count), ...kinds]);
}

/** Ends a process, whose main thread is of the first kind and its workers of the others. */
export function runToItsEnd(how: string, kinds: readonly string[]): Promise<ChildResult> {
  return runScript('ending-process.mjs', [how, ...kinds]);
}
