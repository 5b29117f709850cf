// What protecting unplugged memory costs on this host, per call of the kernel.
//
// usage: node scripts/bench/protection.mjs     (after npm run build)
//
// Prints a table of medians in microseconds: mprotect of one block, alone and among thousands of
// ranges, and of large ranges that the guest has touched, beside the discard that follows anyway.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const addon = createRequire(import.meta.url)('../../build/Release/tsvmm.node');
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const BLOCK = 2 * MIB;
const ROUNDS = 9;
const MADV_DONTNEED = 4;
const HUGE = { base: 15, huge: 14 };

const map = (size) =>
  addon.mapMemory({ size, alignment: BLOCK, shared: false, noReserve: true, access: 'none' });

const median = (samples) => [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)];

function timed(work) {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1000;
}

/** Gives the ranges one anon_vma, as the device does: see unplugged-protection.ts. */
function join(mapping) {
  mapping.protect(0, 4096, 'read-write');
  mapping.write(0, new Uint8Array(1));
  mapping.advise(0, 4096, MADV_DONTNEED);
  mapping.protect(0, 4096, 'none');
}

/** Lifting and protecting every second block: each call adds, or takes away, two mappings. */
function scattered(blocks) {
  const mapping = map(2 * blocks * BLOCK);
  join(mapping);
  const each = (access) =>
    timed(() => {
      for (let block = 0; block < 2 * blocks; block += 2) {
        mapping.protect(block * BLOCK, BLOCK, access);
      }
    }) / blocks;
  const lift = [];
  const protect = [];
  for (let round = 0; round < ROUNDS; round++) {
    lift.push(each('read-write'));
    protect.push(each('none'));
  }
  mapping.close();
  return [median(lift), median(protect)];
}

/** A range that is all touched, in pages of one kind. */
function touched(size, pages) {
  const mapping = map(size);
  join(mapping);
  mapping.advise(0, size, HUGE[pages]);
  const byte = new Uint8Array(1);
  const lift = [];
  const protect = [];
  const discard = [];
  for (let round = 0; round < ROUNDS; round++) {
    lift.push(timed(() => mapping.protect(0, size, 'read-write')));
    for (let at = 0; at < size; at += 4096) mapping.write(at, byte);
    protect.push(timed(() => mapping.protect(0, size, 'none')));
    discard.push(timed(() => mapping.advise(0, size, MADV_DONTNEED)));
  }
  mapping.close();
  return [median(lift), median(protect), median(discard)];
}

/** What is done once, at the start of a device. */
function whole(size) {
  const samples = [];
  for (let round = 0; round < ROUNDS; round++) {
    const mapping = map(size);
    samples.push(timed(() => join(mapping)));
    mapping.close();
  }
  return median(samples);
}

const limit = Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8'));
const cell = (value) => (value === undefined ? '' : value.toFixed(1)).padStart(10);
const row = (name, values) => console.log(`${name.padEnd(44)}${values.map(cell).join('')}`);

console.log(
  `${'µs (median)'.padEnd(44)}${['lift', 'protect', 'discard'].map((it) => it.padStart(10)).join('')}`,
);
row('a device of 16 TiB, once', [undefined, whole(16 * 1024 * GIB)]);
for (const blocks of [1, 100, 1000, 10_000].filter((it) => 2 * it < limit / 2)) {
  row(`a block of 2 MiB, untouched, ${blocks} apart`, scattered(blocks));
}
row('a block of 2 MiB, touched, base pages', touched(BLOCK, 'base'));
row('a block of 2 MiB, touched, a huge page', touched(BLOCK, 'huge'));
row('1 GiB, touched, base pages', touched(GIB, 'base'));
row('1 GiB, touched, huge pages', touched(GIB, 'huge'));
