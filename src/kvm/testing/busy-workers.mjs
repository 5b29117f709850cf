/*
 * Started with `node busy-workers.mjs ADDON HOW-MANY KIND…`: workers that do what their kind says are
 * terminated at random moments of it, or end by themselves. Prints `alive` when all have ended.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { ENDING, KINDS } from './busy-kinds.mjs';

const message = (worker) => new Promise((resolve) => worker.once('message', resolve));

async function one(addon, kind) {
  const options = {
    workerData: { addon, kind },
    stdout: true,
    stderr: true,
    ...(kind === 'memoryLimit' && { resourceLimits: { maxOldGenerationSizeMb: 16 } }),
  };
  const worker = new Worker(new URL(import.meta.url), options);
  worker.on('error', () => {});
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await message(worker);
  if (ENDING[kind] !== undefined) return ended;
  if (kind !== 'init') await message(worker);
  // Timers are too coarse for the moments that matter.
  const end = performance.now() + Math.random() * 4;
  while (performance.now() < end);
  return worker.terminate();
}

async function main(addon, count, kinds) {
  for (const kind of kinds) {
    for (let at = 0; at < count; at++) await one(addon, kind);
  }
  const left = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /kvm|memfd/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  });
  console.log('alive', left.length);
}

if (isMainThread) {
  const [addon, count, ...kinds] = process.argv.slice(2);
  void main(addon, Number(count), kinds);
} else {
  parentPort.postMessage('begins');
  const addon = createRequire(import.meta.url)(workerData.addon);
  parentPort.postMessage('has the addon');
  ({ ...KINDS, ...ENDING })[workerData.kind](addon);
}
