/*
 * `node fragmented-machines.mjs`: three machines, one of them in a worker. Prints `made`, waits for a
 * line, has each guest plug every second of many blocks, and prints as JSON how many mappings the
 * process has after each, how many blocks could not be protected, and what is left once all are gone.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';

const ROOT = new URL('../../', import.meta.url);
const { createVm, setLogLevel } = await import(new URL('dist/index.js', ROOT).href);
const { SerialConsole } = await import(new URL('dist/testing.js', ROOT).href);
setLogLevel('silent');

const ADDR = 4 * 2 ** 30;
const BLOCK = 2 * 2 ** 20;
const BATCH = 64;
const BATCHES = 11;

const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1;

async function machine() {
  const vm = await createVm({
    kernel: new URL('guest-tests/guests/build/agent.elf', ROOT).pathname,
    memory: '64M',
    append: 'virtio init',
    virtioMem: [
      { size: '8G', memaddr: ADDR, blockSize: BLOCK, dynamicMemslots: true, requestedSize: '8G' },
    ],
  });
  const console = new SerialConsole(vm.serial);
  await vm.start();
  await console.expect(/^ok .*\n/m, { timeoutMs: 60_000 });
  return { vm, console };
}

/** @returns how many unplugged blocks the guest can reach */
async function fragment({ vm, console }) {
  for (let batch = 0; batch < BATCHES; batch++) {
    const at = ADDR + batch * BATCH * 2 * BLOCK;
    console.send(`batch 0 ${at} 1 ${BATCH} ${2 * BLOCK}\n`);
    await console.expect(new RegExp(`ack=${BATCH} `), { timeoutMs: 60_000 });
  }
  const info = await vm.monitor('info memory-devices -v');
  return Number(/unprotected-blocks: (\d+)/.exec(info)[1]);
}

async function main() {
  const before = mappings();
  const worker = new Worker(new URL(import.meta.url));
  await once(worker, 'message');
  const guests = [await machine(), await machine()];
  console.log('made');
  await once(process.stdin, 'data');
  const used = [];
  const unprotected = [];
  const done = (blocks) => {
    used.push(mappings());
    unprotected.push(blocks);
  };
  done(await fragment(guests[0]));
  worker.postMessage('fragment');
  done((await once(worker, 'message'))[0]);
  done(await fragment(guests[1]));
  // A heap that grows takes mappings, too.
  const pieces = Array.from({ length: 50 }, () => new Uint8Array(3 * 2 ** 20).fill(1)).length;
  const objects = Array.from({ length: 300_000 }, (_, at) => ({ text: `x${at}` })).length;
  for (const { vm } of guests) await vm.close();
  await worker.terminate();
  const left = mappings() - before;
  console.log(JSON.stringify({ used, unprotected, left, allocated: [pieces, objects] }));
  process.stdin.destroy();
}

async function work() {
  const guest = await machine();
  parentPort.postMessage('made');
  await once(parentPort, 'message');
  parentPort.postMessage(await fragment(guest));
  parentPort.on('message', () => undefined);
}

await (isMainThread ? main() : work());
