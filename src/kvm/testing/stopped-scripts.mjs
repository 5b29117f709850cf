/*
 * Started with `node stopped-scripts.mjs ADDON HOW-MANY KIND…`: scripts of node:vm do what their kind says
 * until their time is up, at random moments of it, in this thread. Prints `alive` and the outcomes.
 */
import { createRequire } from 'node:module';
import { runInThisContext } from 'node:vm';
import { KINDS, patience } from './busy-kinds.mjs';

/*
 * Node.js 26 loses the end of a script's time now and then, also of one that calls nothing but its own
 * process.uptime(): such a script ends by itself.
 */
const PATIENCE_MS = 200;

const [path, count, ...kinds] = process.argv.slice(2);
const addon = createRequire(import.meta.url)(path);
const outcomes = new Set();
for (const kind of kinds) {
  globalThis.work = () => KINDS[kind](addon);
  for (let at = 0; at < Number(count); at++) {
    patience.end = performance.now() + PATIENCE_MS;
    try {
      runInThisContext('work()', { timeout: 1 + Math.floor(Math.random() * 4) });
    } catch (error) {
      outcomes.add(error.code ?? String(error));
    }
  }
}
// It still does its work.
const memory = addon.mapMemory({
  size: 4096,
  alignment: 4096,
  shared: false,
  noReserve: true,
  access: 'read-write',
});
memory.write(0, Uint8Array.of(7));
memory.close();
console.log('alive', ...outcomes);
