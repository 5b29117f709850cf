import type { Vmm } from './vmm.ts';

/** Values of one run by metric; the unit is in the name. */
export type Values = Readonly<Record<string, number>>;

/** Something to run under each VMM once a round. */
export interface Measurement {
  readonly name: string;
  /** Not more rounds than this: it takes long, and differs little. */
  readonly maxRounds?: number;
  readonly run: (vmm: Vmm, quick: boolean) => Promise<Values>;
}
