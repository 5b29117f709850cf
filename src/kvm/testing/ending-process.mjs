/*
 * Started with `node ending-process.mjs ADDON HOW KIND…`: workers and the main thread do what their kinds
 * say, the first of them in the main thread, and then the process ends in the way of HOW at a random moment.
 */
import { createRequire } from 'node:module';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { KINDS } from './busy-kinds.mjs';

const HOW = {
  exit: () => process.exit(7),
  throws() {
    throw new Error('of the program');
  },
  rejects() {
    void Promise.reject(new Error('of the program'));
  },
  throwsInExitHandler() {
    process.on('exit', () => {
      throw new Error('of the program');
    });
    process.exit(7);
  },
};

const load = (addon) => createRequire(import.meta.url)(addon);

async function main(path, how, [own, ...others]) {
  const workers = others.map(
    (kind) => new Worker(new URL(import.meta.url), { workerData: { path, kind } }),
  );
  for (const worker of workers) worker.on('error', () => {});
  await Promise.all(workers.map((worker) => new Promise((done) => worker.once('message', done))));
  KINDS[own](load(path));
  // Timers are too coarse for the moments that matter.
  const end = performance.now() + Math.random() * 4;
  const wait = () => (performance.now() < end ? setImmediate(wait) : HOW[how]());
  wait();
}

if (isMainThread) {
  const [path, how, ...kinds] = process.argv.slice(2);
  void main(path, how, kinds);
} else {
  const addon = load(workerData.path);
  parentPort.postMessage('has the addon');
  KINDS[workerData.kind](addon);
}
