/*
 * `node machine-workers.mjs terminated|in-turn|served HOW-MANY`: workers that make and run a machine are
 * terminated at random moments, or run one to its end, one after the other; or serve its monitors and
 * end it by them. Prints `alive`.
 */
import { mkdtempSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const ROOT = new URL('../../', import.meta.url);

/** @returns the exit code */
async function one(how) {
  const worker = new Worker(new URL(import.meta.url), { workerData: how, stdout: true });
  let error;
  worker.on('error', (it) => (error = it));
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const begun = new Promise((resolve) => worker.once('message', resolve));
  if (how !== 'terminated') {
    const code = await exited;
    if (code !== 0 || error !== undefined) throw new Error(`exit ${code}`, { cause: error });
    return;
  }
  await begun;
  // Loading, making and starting take about so long.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
  await worker.terminate();
}

async function machine(how) {
  parentPort.postMessage('begins');
  const { connectVm, createVm, setLogLevel } = await import(new URL('dist/index.js', ROOT).href);
  setLogLevel('silent');
  const folder = how === 'served' ? mkdtempSync(join(tmpdir(), 'tsvmm-')) : undefined;
  const vm = await createVm({
    kernel: new URL('guest-tests/guests/build/agent.elf', ROOT).pathname,
    append: how === 'in-turn' ? 'poweroff' : 'virtio init;follow',
    memoryBackends: [{ type: 'memfd', id: 'm', size: '64M' }],
    memory: { memdev: 'm' },
    ...(folder && { qmp: `unix:${folder}/qmp`, monitor: `unix:${folder}/monitor` }),
    virtioMem: [{ size: '8G', dynamicMemslots: true, requestedSize: '1G' }],
  });
  vm.serial.resume();
  await vm.start();
  if (folder !== undefined) await endByClient(await connectVm(vm.qmp[0]), folder);
  await vm.ended;
  if (folder !== undefined) rmdirSync(folder);
}

/** Their sockets are the user's alone, and go with the machine: or its folder would not. */
async function endByClient(remote, folder) {
  for (const name of readdirSync(folder)) {
    const mode = statSync(join(folder, name)).mode & 0o777;
    if (mode !== 0o600) throw new Error(`${name}: mode ${mode.toString(8)}`);
  }
  await remote.quit();
  await remote.close();
}

if (isMainThread) {
  const [how, count] = process.argv.slice(2);
  for (let at = 0; at < Number(count); at++) await one(how);
  console.log('alive');
} else {
  await machine(workerData);
}
