import { MIB } from '../../guest-tests/harness/sizes.ts';
import { BESIDE_NEIGHBOUR, FIRST_COUNT, FIRST_REQUESTS } from './measurements/first-requests.ts';

/** A goal is a bound, or a share of what QEMU takes in the same run. */
export type Goal = { readonly atMost: number } | { readonly ofQemu: number };

export interface Row {
  readonly title: string;
  readonly metric: string;
  readonly unit: 'ms' | 'us' | '%' | 'MiB';
  /** Values are divided by it to be in the unit. */
  readonly scale?: number;
  readonly goal?: Goal;
  /** Reached beyond the goal: said in the verdict. */
  readonly stretch?: Goal;
}

const mib = (title: string, metric: string, limit?: number): Row => ({
  title,
  metric,
  unit: 'MiB',
  scale: MIB,
  ...(limit !== undefined && { goal: { atMost: limit } }),
});

const HALF: Goal = { ofQemu: 0.5 };
const NO_SLOWER: Goal = { ofQemu: 1 };

/** Rows of the report in order; what they are measured with is in measurements/. */
export const ROWS: readonly Row[] = [
  mib('KVM memory of an idle 1 TiB device', 'vmalloc idle B', 0.1),
  mib('the same with 1 GiB plugged', 'vmalloc 1G B', 2.6),
  mib('the same with 64 GiB plugged', 'vmalloc 64G B', 166),
  mib('the same, idle, dynamic memslots off', 'vmalloc static B'),
  {
    title: "exec to the guest's first instruction, 1 TiB device",
    metric: 'start-up ms',
    unit: 'ms',
    goal: { ofQemu: 0.4 },
  },
  { title: 'of that, Node.js itself', metric: 'start-up node ms', unit: 'ms' },
  { title: 'the same with a device of 16 TiB', metric: 'start-up 16 TiB ms', unit: 'ms' },
  { title: 'PLUG of a block, back to back', metric: 'plug us', unit: 'us', goal: HALF },
  { title: 'UNPLUG of a block, back to back', metric: 'unplug us', unit: 'us', goal: HALF },
  { title: 'STATE of a block, back to back', metric: 'state us', unit: 'us', goal: HALF },
  ...['plug', 'unplug', 'state'].map(
    (name): Row => ({
      title: `${name.toUpperCase()} of a block after 100 µs of silence`,
      metric: `${name} after silence us`,
      unit: 'us',
      goal: NO_SLOWER,
      stretch: HALF,
    }),
  ),
  ...['', BESIDE_NEIGHBOUR].flatMap((suffix) =>
    FIRST_REQUESTS.flatMap((name): Row[] => [
      {
        title: `the first ${FIRST_COUNT} ${name.toUpperCase()} of a fresh process${suffix}`,
        metric: `first ${name} total ms${suffix}`,
        unit: 'ms',
        goal: NO_SLOWER,
      },
      {
        title: 'p99 of these',
        metric: `first ${name} p99 us${suffix}`,
        unit: 'us',
        goal: NO_SLOWER,
      },
    ]),
  ),
  {
    title: 'PLUG of 64 GiB, 64 blocks a request',
    metric: 'plug64 total ms',
    unit: 'ms',
    goal: NO_SLOWER,
  },
  {
    title: 'p99 of its requests (a new memslot)',
    metric: 'plug64 p99 us',
    unit: 'ms',
    scale: 1000,
    goal: { atMost: 0.7 },
  },
  {
    title: 'UNPLUG_ALL of 64 GiB, untouched',
    metric: 'unplug-all ms',
    unit: 'ms',
    goal: NO_SLOWER,
  },
  {
    title: 'the guest writes to each page of a GiB that it has mapped, huge pages',
    metric: 'touch mapped ms',
    unit: 'ms',
  },
  {
    title: 'the same after the memslot of another GiB has gone',
    metric: 'touch after removal ms',
    unit: 'ms',
  },
  { title: 'the guest writes to each page of 256 MiB', metric: 'touch 256M ms', unit: 'ms' },
  {
    title: 'UNPLUG_ALL of these 256 MiB',
    metric: 'unplug touched 256M ms',
    unit: 'ms',
    goal: NO_SLOWER,
  },
  ...['thp=off', 'thp=on'].flatMap((thp): Row[] => [
    {
      title: `the guest writes to each page of a GiB first, ${thp}`,
      metric: `first touch ${thp} ms`,
      unit: 'ms',
    },
    { title: `the same once more, ${thp}`, metric: `next touch ${thp} ms`, unit: 'ms' },
    { title: `UNPLUG_ALL of it, for each GiB, ${thp}`, metric: `unplug ${thp} ms`, unit: 'ms' },
  ]),
  {
    title: 'a Linux guest grows by 8 GiB',
    metric: 'linux grow ms',
    unit: 'ms',
    goal: NO_SLOWER,
  },
  { title: 'and gives them back', metric: 'linux shrink ms', unit: 'ms', goal: NO_SLOWER },
  mib('resident memory, 1 TiB device, idle', 'rss B', 90),
  {
    title: 'longest monitor answer while touched memory is unplugged',
    metric: 'stall ms',
    unit: 'ms',
    goal: { atMost: 10 },
  },
  { title: 'the same while nothing happens', metric: 'stall without work ms', unit: 'ms' },
  {
    title: 'unplugging that memory at once',
    metric: 'unplug touched at once ms',
    unit: 'ms',
  },
  {
    title: 'unplugging it by 64 blocks a request',
    metric: 'unplug touched by 64 blocks ms',
    unit: 'ms',
  },
  {
    title: 'CPU time of a VM with a halted guest',
    metric: 'idle cpu %',
    unit: '%',
    goal: { atMost: 1 },
  },
];
