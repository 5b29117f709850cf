import { parseArgs } from 'node:util';

export const USAGE = `usage: npm run bench [-- OPTION...]

Measures tsvmm and, where there is one, QEMU in turn, then the host's kernel, and writes
bench-results/bench.md and .json, and files of plots beside them.

  --only NAME     this measurement (can be given several times): NAMES
  --rounds N      rounds of each measurement (default 7)
  --quick         one round of everything, with less of it: is it all in order?
  --json FILE     where the samples go (default bench-results/bench.json)
  --no-qemu       tsvmm alone

QEMU=PATH chooses the QEMU; otherwise it is the one that scripts/assets qemu has unpacked,
or qemu-system-x86_64.
`;

export interface BenchOptions {
  readonly only: readonly string[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly qemu: boolean;
}

/** @throws Error for what is not an option, or not a measurement */
export function parseOptions(args: readonly string[], names: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      'no-qemu': { type: 'boolean', default: false },
    },
  });
  const unknown = values.only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: not one of ${names.join(', ')}`);
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 7));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds ${String(values.rounds)}: not a positive number`);
  }
  const { only, quick, json } = values;
  return { only, rounds, quick, json, qemu: !values['no-qemu'] };
}
