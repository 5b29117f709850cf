import { expect, it } from 'vitest';
import { runChild } from './testing/child.ts';

/**
 * `map(count)` makes so many mappings; `use(share, count)` takes them one after the other as well, or
 * none. What is made while the process is counted may be counted twice until the next time.
 */
const MAP = `
const native = require(process.env.ADDON);
function map(count, take = () => true) {
  const memory = native.mapMemory({ size: (count + 2) * 4096, alignment: 4096, shared: false, noReserve: true, access: 'none' });
  let made = 0;
  for (; made < count && take(2); made += 2) memory.protect((made + 1) * 4096, 4096, 'read-write');
  return { memory, made };
}
function use(share, count) {
  const { memory, made } = map(count, (some) => share.take(some));
  if (made >= count) return memory;
  memory.close();
  share.take(-made);
  return undefined;
}
`;

/** `until(condition)`, over turns of the loop. */
const HELPERS = `${MAP}
const { Worker } = require('node:worker_threads');
const until = async (condition) => {
  for (let result = condition(); ; result = condition()) {
    if (result) return result;
    await turn();
  }
};
const limit = Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8'));
const tell = (...them) => console.log(JSON.stringify(them));
`;

async function outcome(script: string): Promise<unknown> {
  const { stdout, stderr, signal } = await runChild(`${HELPERS}${script}`);
  expect({ stderr, signal }).toEqual({ stderr: '', signal: null });
  return JSON.parse(stdout);
}

it('leaves a quarter of the limit and what is in use, and gives what there is', async () => {
  const script = `
    const share = addon.shareMappings();
    const error = limit - Math.ceil(limit / 4) - maps().length - share.left;
    const used = () => maps().length / limit;
    const some = share.left - 5000;
    await until(() => use(share, some));
    // Until nothing more is given, and that is no mistake.
    await until(() => map(10_000, (count) => share.take(count)).made === 0 && used() > 0.73);
    const most = used();
    map(2000);
    share.force(2000);
    tell(Math.abs(error) < 500, most < 0.77, share.left < 0, share.take(1), share.take(0), share.take(-1));
  `;
  expect(await outcome(script)).toEqual([true, true, true, false, true, true]);
});

it('is one for all machines; what a machine held goes back when it is closed, once', async () => {
  const script = `
    const [one, two] = [addon.shareMappings(), addon.shareMappings()];
    const most = one.left - 5000;
    await until(() => use(one, most));
    const refused = use(two, 10_000) === undefined;
    const memory = await until(() => use(two, 3000));
    memory.close();
    two.close();
    two.close();
    two.force(40_000);
    await until(() => use(one, 4000));
    tell(refused, two.take(1), two.take(-1));
  `;
  expect(await outcome(script)).toEqual([true, false, false]);
});

it('is one for all threads; what a worker held goes back when it is terminated', async () => {
  const script = `
    const share = addon.shareMappings();
    const other = new Worker(${JSON.stringify(MAP)} + 'const { parentPort, workerData } = require("node:worker_threads");' +
      'globalThis.it = native.shareMappings(); (function fill() { globalThis.its = use(it, workerData);' +
      'if (its === undefined) setImmediate(fill); else parentPort.postMessage("full"); })();' +
      'setInterval(() => 0, 1000);', { eval: true, workerData: share.left - 5000 });
    await new Promise((resolve) => other.once('message', resolve));
    const refused = use(share, 10_000) === undefined;
    await other.terminate();
    await until(() => use(share, 10_000));
    tell(refused);
  `;
  expect(await outcome(script)).toEqual([true]);
});

it('what nobody closed goes back when it is collected', async () => {
  const script = `
    const share = addon.shareMappings();
    const most = share.left - 5000;
    // Nothing is mapped: of mappings that nobody holds either, some might still be there.
    await until(() => addon.shareMappings().take(most));
    const refused = !share.take(most);
    await until(() => { gc(); return share.left > most; });
    tell(refused);
  `;
  expect(await outcome(script)).toEqual([true]);
});

it('counts again what else the process has mapped, once much has been taken or some refused', async () => {
  const script = `
    const share = addon.shareMappings();
    const before = share.left;
    const pieces = Math.floor(limit / 8);
    const others = map(pieces);
    const unseen = before - share.left;
    const step = Math.ceil(limit / 64) + 1;
    use(share, step);
    await until(() => { use(share, 2); return share.left < before - pieces; });
    const most = before - step - 2000;
    const refused = share.take(most);
    others.memory.close();
    await until(() => share.take(most));
    tell(unseen, refused);
  `;
  expect(await outcome(script)).toEqual([0, false]);
});

it('refuses what is no number', async () => {
  const script = `
    const share = addon.shareMappings();
    const errors = [1.5, '1', NaN, Infinity, 2 ** 40].map((it) => { try { return share.take(it); } catch (error) { return error.message; } });
    tell(...new Set(errors));
  `;
  expect(await outcome(script)).toEqual(['count: expected a whole number']);
});
