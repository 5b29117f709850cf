import { vmallocUsedBytes } from '../../../guest-tests/harness/host.ts';
import { GIB, MIB } from '../../../guest-tests/harness/sizes.ts';
import type { NativeMapping, NativeVm } from '../../../src/kvm/addon.ts';
import { openVm } from '../bare-vm.ts';
import { availableBytes } from '../host.ts';
import type { HostMeasurement, HostReportSection } from '../host-measurement.ts';
import { svgPlot, textPlot, type Plot, type Series } from '../plot.ts';
import { median, quantile } from '../statistics.ts';

/** The size of the slots that fill the table: their metadata is small, so it is the table that shows. */
const SMALLEST = 2 * MIB;
const SIZES = [SMALLEST, 128 * MIB, 256 * MIB, 512 * MIB, GIB, 2 * GIB, 4 * GIB, 8 * GIB];
/** Memory that the metadata of the larger ones may take. */
const METADATA_LIMIT = 4 * GIB;
/** What a GiB of slots costs at most: 8 bytes for each page twice, and some. */
const METADATA_PER_GIB = 3 * MIB;
/** Points of a curve: each is the median of so many slots. */
const POINTS = 64;
const GPA_BASE = 4 * GIB;
/** One piece of host memory for all slots of a run: nothing is touched. */
const MAPPED = 8 * GIB;

/** What adding slots one by one, and removing them in the same order, has cost; µs by slots present. */
interface Curve {
  readonly size: number;
  readonly add: readonly number[];
  readonly remove: readonly number[];
  readonly metadataBytes: number;
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1000;
}

function measure(vm: NativeVm, mapping: NativeMapping, size: number, count: number): Curve {
  const before = vmallocUsedBytes();
  const offsets = MAPPED / size;
  const add = Array.from({ length: count }, (_, slot) =>
    timed(() => {
      const gpa = GPA_BASE + slot * size;
      vm.setMemslot({ slot, flags: 0, gpa, size, mapping, offset: (slot % offsets) * size });
    }),
  );
  const metadataBytes = (vmallocUsedBytes() - before) / count;
  // Oldest first; `remove` is by how many are left.
  const remove = Array.from({ length: count }, (_, slot) => timed(() => vm.deleteMemslot(slot)));
  return { size, add, remove: remove.reverse(), metadataBytes };
}

/** Medians of equal parts of the samples, against the middle of each part. */
function points(samples: readonly number[]): Series['points'] {
  const length = Math.max(1, Math.floor(samples.length / POINTS));
  const parts = Math.floor(samples.length / length);
  return Array.from({ length: parts }, (_, part) => {
    const own = samples.slice(part * length, (part + 1) * length);
    return [(part + 0.5) * length, median(own)] as const;
  });
}

function sizeText(size: number): string {
  return size < GIB ? `${size / MIB} MiB` : `${size / GIB} GiB`;
}

function row({ size, add, remove, metadataBytes }: Curve): string {
  const spread = (samples: readonly number[]): string =>
    [0.1, 0.5, 0.9].map((share) => quantile(samples, share).toFixed(0)).join(' / ');
  const perGib = ((median(add) + median(remove)) * GIB) / size / 1000;
  const cells = [
    sizeText(size),
    String(add.length),
    spread(add),
    spread(remove),
    `${(metadataBytes / MIB).toFixed(2)} MiB`,
    `${perGib.toFixed(2)} ms`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function table(curves: readonly Curve[]): string {
  return [
    '| slot size | slots | add, µs: 10 % / median / 90 % | remove, µs | metadata of a slot | add and remove a GiB |',
    '| --- | --- | --- | --- | --- | --- |',
    ...curves.map(row),
  ].join('\n');
}

function csv(curves: readonly Curve[]): string {
  const lines = curves.flatMap(({ size, add, remove }) => {
    const removed = points(remove);
    return points(add).map(([slots, cost], at) =>
      [size / MIB, slots, cost.toFixed(2), (removed[at]?.[1] ?? 0).toFixed(2)].join(','),
    );
  });
  return ['slot_mib,slots_present,add_us,remove_us', ...lines, ''].join('\n');
}

function report(curves: readonly Curve[], capacity: number): HostReportSection {
  const [full] = curves;
  if (full === undefined) throw new Error('memslots: nothing measured');
  const plot: Plot = {
    title: `A memslot of ${sizeText(full.size)}, added and removed, of ${capacity} that this KVM has`,
    xTitle: 'slots present',
    yTitle: 'µs, medians',
    series: [
      { name: 'add', points: points(full.add) },
      { name: 'remove', points: points(full.remove) },
    ],
  };
  const markdown = `## Memslots\n\n${table(curves)}\n\n\`\`\`\n${textPlot(plot)}\`\`\`\n`;
  return { markdown, files: { 'memslots.csv': csv(curves), 'memslots.svg': svgPlot(plot) } };
}

function run(quick: boolean): HostReportSection {
  const budget = Math.min(METADATA_LIMIT, availableBytes() / 4) / (quick ? 8 : 1);
  const { vm, mapping, capacity, close } = openVm(MAPPED);
  try {
    const counts = SIZES.map((size) => {
      const affordable = Math.floor(budget / ((size / GIB) * METADATA_PER_GIB));
      return size === SMALLEST ? capacity : Math.min(capacity, affordable);
    });
    const curves = SIZES.map((size, at) => measure(vm, mapping, size, counts[at] ?? 1));
    return report(curves, capacity);
  } finally {
    close();
  }
}

/** What KVM takes to add and remove memslots one by one, up to as many as it has. */
export const memslots: HostMeasurement = { name: 'memslots', run };
