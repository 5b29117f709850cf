import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hostReport } from './host.ts';
import type { HostMeasurement } from './host-measurement.ts';
import type { Measurement } from './measurement.ts';
import { firstRequests } from './measurements/first-requests.ts';
import { hugePages } from './measurements/huge-pages.ts';
import { linuxGrowth } from './measurements/linux-growth.ts';
import { idle, plugged, removal, staticMemslot } from './measurements/memory.ts';
import { memslots } from './measurements/memslots.ts';
import { protection } from './measurements/protection.ts';
import { requests } from './measurements/requests.ts';
import { stall } from './measurements/stall.ts';
import { startUp } from './measurements/start-up.ts';
import { touched } from './measurements/touched.ts';
import { parseOptions, USAGE, type BenchOptions } from './options.ts';
import { findQemu } from './qemu.ts';
import { markdown, type Results } from './report.ts';
import { Samples } from './samples.ts';
import { findTsvmm } from './tsvmm.ts';
import type { Vmm } from './vmm.ts';

const RESULTS = join(import.meta.dirname, '..', '..', 'bench-results');
const MEASUREMENTS: readonly Measurement[] = [
  startUp,
  firstRequests,
  requests,
  plugged,
  removal,
  touched,
  hugePages,
  idle,
  stall,
  staticMemslot,
  linuxGrowth,
];
const HOST_MEASUREMENTS: readonly HostMeasurement[] = [memslots, protection];
const NAMES = [...MEASUREMENTS, ...HOST_MEASUREMENTS].map(({ name }) => name);

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

function findVmms(options: BenchOptions): readonly Vmm[] {
  const tsvmm = findTsvmm();
  const qemu = options.qemu ? findQemu() : undefined;
  if (qemu === undefined) {
    say('no QEMU to compare with: tsvmm alone');
    return [tsvmm];
  }
  if (!qemu.dynamicMemslots) {
    say(`${qemu.title} has no dynamic memslots: it maps the whole device in every row`);
    say('scripts/assets qemu gets one that has them');
  }
  return [tsvmm, qemu];
}

function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  { only }: BenchOptions,
): readonly T[] {
  return all.filter(({ name }) => only.length === 0 || only.includes(name));
}

async function measure(options: BenchOptions): Promise<Pick<Results, 'samples' | 'titles'>> {
  const samples = new Samples();
  const measurements = chosen(MEASUREMENTS, options);
  if (measurements.length === 0) return { samples, titles: {} };
  const vmms = findVmms(options);
  for (let round = 0; round < options.rounds; round++) {
    // Whoever is first in one round is second in the next.
    const order = round % 2 === 0 ? vmms : vmms.toReversed();
    for (const { name, maxRounds, run } of measurements) {
      if (round >= (maxRounds ?? options.rounds)) continue;
      say(`round ${round + 1} of ${options.rounds}: ${name}`);
      for (const vmm of order) samples.add(vmm.name, await run(vmm, options.quick));
    }
  }
  return { samples, titles: Object.fromEntries(vmms.map(({ name, title }) => [name, title])) };
}

/** @returns sections of the report; the files beside it are written */
async function measureHost(options: BenchOptions): Promise<readonly string[]> {
  const sections: string[] = [];
  for (const { name, run } of chosen(HOST_MEASUREMENTS, options)) {
    say(name);
    const { markdown: section, files } = await run(options.quick);
    sections.push(section);
    for (const [file, text] of Object.entries(files ?? {})) write(join(RESULTS, file), text);
  }
  return sections;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  say(`wrote ${path}`);
}

/** @returns the exit code: 0 also when a goal is missed, which the table tells */
export async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(USAGE.replace('NAMES', NAMES.join(', ')));
    return 0;
  }
  try {
    const options = parseOptions(args, NAMES);
    const host = hostReport();
    if (host.load > host.processors / 2) {
      say(`load average ${host.load.toFixed(1)}: others are at work here, times mean little`);
    }
    const date = new Date().toISOString();
    const { samples, titles } = await measure(options);
    const sections = await measureHost(options);
    const results: Results = { date, host, titles, samples, sections };
    const table = markdown(results);
    process.stdout.write(table);
    write(join(RESULTS, 'bench.md'), table);
    const json = { date, host, titles, samples: samples.all };
    write(options.json ?? join(RESULTS, 'bench.json'), `${JSON.stringify(json, null, 2)}\n`);
    return 0;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }
}
