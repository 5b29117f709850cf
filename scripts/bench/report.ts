import { ROWS, type Goal, type Row } from './goals.ts';
import type { HostReport } from './host.ts';
import type { Samples, VmmName } from './samples.ts';

export interface Results {
  /** ISO 8601. */
  readonly date: string;
  readonly host: HostReport;
  /** What was measured, by name. */
  readonly titles: Readonly<Partial<Record<VmmName, string>>>;
  readonly samples: Samples;
  /** What was measured of the host alone. */
  readonly sections: readonly string[];
}

const UNITS = { ms: 'ms', us: 'µs', '%': '%', MiB: 'MiB' } as const;

function show(row: Row, value: number | undefined): string {
  if (value === undefined) return '—';
  const scaled = value / (row.scale ?? 1);
  const text = scaled.toFixed(Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0);
  return `${text} ${UNITS[row.unit]}`;
}

function range(row: Row, samples: Samples): string {
  const { least, most } = samples.range('tsvmm', row.metric);
  return `${show(row, least)} to ${show(row, most)}`;
}

function showGoal(row: Row, goal: Goal | undefined): string {
  if (goal === undefined) return '';
  if ('atMost' in goal) return `≤ ${goal.atMost} ${UNITS[row.unit]}`;
  return goal.ofQemu === 1 ? 'no more than QEMU' : `≤ ${goal.ofQemu} × QEMU`;
}

/** The bound in the metric's own unit; undefined when QEMU was not measured. */
function limitOf(row: Row, goal: Goal, qemu: number | undefined): number | undefined {
  if ('atMost' in goal) return goal.atMost * (row.scale ?? 1);
  return qemu === undefined ? undefined : goal.ofQemu * qemu;
}

function verdict(row: Row, value: number, qemu: number | undefined): string {
  if (row.goal === undefined) return '';
  const limit = limitOf(row, row.goal, qemu);
  if (limit === undefined) return 'no QEMU to compare with';
  if (value > limit) return `**missed**: ${(value / limit).toFixed(2)} × the goal`;
  const stretch = row.stretch && limitOf(row, row.stretch, qemu);
  if (row.stretch === undefined || stretch === undefined) return 'met';
  return value <= stretch ? `met, and ${showGoal(row, row.stretch)}` : 'met';
}

function line(row: Row, samples: Samples): string | undefined {
  const value = samples.median('tsvmm', row.metric);
  if (value === undefined) return undefined;
  const qemu = samples.median('qemu', row.metric);
  const ratio = qemu === undefined || qemu <= 0 || value <= 0 ? '' : (value / qemu).toFixed(2);
  const cells = [
    row.title,
    show(row, qemu),
    show(row, value),
    range(row, samples),
    ratio,
    showGoal(row, row.goal),
    verdict(row, value, qemu),
    String(samples.rounds('tsvmm', row.metric)),
  ];
  return `| ${cells.join(' | ')} |`;
}

function comparison({ titles, samples }: Results): readonly string[] {
  const rows = ROWS.flatMap((row) => line(row, samples) ?? []);
  if (rows.length === 0) return [];
  const size = samples.median('tsvmm', 'stall size GiB');
  return [
    `- ${titles.tsvmm ?? ''}`,
    `- ${titles.qemu ?? 'no QEMU'}`,
    '',
    'Medians over interleaved rounds. Touched memory that is unplugged: ' +
      `${size === undefined ? 'not measured' : `${size} GiB`}.`,
    '',
    '| | QEMU | tsvmm | tsvmm, least to most | tsvmm : QEMU | goal | | rounds |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ];
}

/** The results as a Markdown page. */
export function markdown(results: Results): string {
  const { date, host, sections } = results;
  return [
    `# Benchmark of ${date.slice(0, 10)}`,
    '',
    `- ${host.cpu}, ${host.memory}; Linux ${host.kernel}; ${host.kvm}`,
    `- huge pages: ${host.hugePages}; load average at the start: ${host.load.toFixed(1)}`,
    ...comparison(results),
    ...sections.flatMap((section) => ['', section]),
  ].join('\n');
}
