import { readFileSync } from 'node:fs';
import { GIB, MIB, TIB } from '../../../guest-tests/harness/sizes.ts';
import { addon, type NativeMapping } from '../../../src/kvm/addon.ts';
import { availableBytes } from '../host.ts';
import type { HostMeasurement, HostReportSection } from '../host-measurement.ts';
import { median } from '../statistics.ts';

const PAGE = 4096;
const BLOCK = 2 * MIB;
const ROUNDS = 9;
const WHOLE = 16 * TIB;
/** Distances between borders that are tried: blocks that are apart, each with two mappings. */
const APART = [1, 100, 1000, 10_000];
/** madvise(2). */
const MADV_DONTNEED = 4;
const MADV_HUGEPAGE = 14;
const MADV_NOHUGEPAGE = 15;

/** Medians in µs; absent where there is nothing to measure. */
interface Costs {
  readonly lift?: number;
  readonly protect?: number;
  readonly discard?: number;
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1000;
}

/** Inaccessible memory that merges when it is apart no more, as a device's: see unplugged-protection.ts. */
function withMemory<T>(size: number, use: (mapping: NativeMapping) => T): T {
  const options = { size, alignment: BLOCK, shared: false, noReserve: true } as const;
  const mapping = addon.mapMemory({ ...options, access: 'none' });
  try {
    mapping.protect(0, PAGE, 'read-write');
    mapping.write(0, new Uint8Array(1));
    mapping.advise(0, PAGE, MADV_DONTNEED);
    mapping.protect(0, PAGE, 'none');
    return use(mapping);
  } finally {
    mapping.close();
  }
}

/** A run of blocks that grows and shrinks at one end, as a guest plugs them: borders only move. */
function moving(mapping: NativeMapping, blocks: number): Costs {
  const each = (work: (offset: number) => void): number =>
    median(
      Array.from({ length: ROUNDS * blocks }, (_, at) =>
        timed(() => {
          work((at % blocks) * BLOCK);
        }),
      ),
    );
  mapping.protect(0, (blocks + 1) * BLOCK, 'none');
  const lift = each((offset) => {
    if (offset === 0) mapping.protect(0, blocks * BLOCK, 'none');
    mapping.protect(offset, BLOCK, 'read-write');
  });
  const discard = each((offset) => {
    mapping.advise(offset, BLOCK, MADV_DONTNEED);
  });
  const protect = each((offset) => {
    if (offset === 0) mapping.protect(0, blocks * BLOCK, 'read-write');
    mapping.protect(offset, BLOCK, 'none');
  });
  return { lift, protect, discard };
}

/** Lifting and protecting every second block: each call adds, or takes away, two mappings. */
function scattered(mapping: NativeMapping, blocks: number): Costs {
  const each = (access: 'none' | 'read-write'): number =>
    timed(() => {
      for (let block = 0; block < 2 * blocks; block += 2) {
        mapping.protect(block * BLOCK, BLOCK, access);
      }
    }) / blocks;
  const rounds = Array.from({ length: ROUNDS }, () => ({
    lift: each('read-write'),
    protect: each('none'),
  }));
  return {
    lift: median(rounds.map(({ lift }) => lift)),
    protect: median(rounds.map(({ protect }) => protect)),
  };
}

/** A range that is all touched, in pages of one kind. */
function touched(mapping: NativeMapping, size: number, advice: number): Costs {
  mapping.advise(0, size, advice);
  const byte = new Uint8Array(1);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const lift = timed(() => mapping.protect(0, size, 'read-write'));
    for (let at = 0; at < size; at += PAGE) mapping.write(at, byte);
    const protect = timed(() => mapping.protect(0, size, 'none'));
    const discard = timed(() => mapping.advise(0, size, MADV_DONTNEED));
    return { lift, protect, discard };
  });
  return {
    lift: median(rounds.map(({ lift }) => lift)),
    protect: median(rounds.map(({ protect }) => protect)),
    discard: median(rounds.map(({ discard }) => discard)),
  };
}

function row(name: string, { lift, protect, discard }: Costs): string {
  const cells = [lift, protect, discard].map((it) => it?.toFixed(1) ?? '');
  return `| ${[name, ...cells].join(' | ')} |`;
}

function rows(): readonly string[] {
  const limit = Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8'));
  const counts = APART.filter((blocks) => 2 * blocks < limit / 2);
  const whole = Array.from({ length: ROUNDS }, () => timed(() => withMemory(WHOLE, () => null)));
  const big = availableBytes() > 3 * GIB ? GIB : 256 * MIB;
  const kinds = [
    { pages: 'base pages', advice: MADV_NOHUGEPAGE },
    { pages: 'huge pages', advice: MADV_HUGEPAGE },
  ];
  return [
    row('16 TiB, at the start, once', { protect: median(whole) }),
    row(
      'a block, next to others',
      withMemory(GIB, (mapping) => moving(mapping, 500)),
    ),
    ...counts.map((blocks) => {
      const costs = withMemory(2 * blocks * BLOCK, (mapping) => scattered(mapping, blocks));
      return row(`a block, one of ${blocks} that are apart`, costs);
    }),
    ...[BLOCK, big].flatMap((size) =>
      kinds.map(({ pages, advice }) => {
        const costs = withMemory(size, (mapping) => touched(mapping, size, advice));
        return row(`${size / MIB} MiB, all touched, ${pages}`, costs);
      }),
    ),
  ];
}

function run(): HostReportSection {
  const markdown = [
    '## Protection of unplugged memory',
    '',
    'Calls of the kernel alone, µs (medians); a block has 2 MiB and is untouched unless it says so.',
    '',
    '| | lift | protect | discard |',
    '| --- | --- | --- | --- |',
    ...rows(),
    '',
  ];
  return { markdown: markdown.join('\n') };
}

/** What it costs to make memory accessible and inaccessible again, beside the discard. */
export const protection: HostMeasurement = { name: 'protection', run };
