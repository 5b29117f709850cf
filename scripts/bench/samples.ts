import type { Values } from './measurement.ts';
import { median } from './statistics.ts';
import type { Vmm } from './vmm.ts';

export type VmmName = Vmm['name'];

/** What all rounds gave, by VMM and metric. */
export class Samples {
  readonly all: Record<VmmName, Record<string, number[]>> = { tsvmm: {}, qemu: {} };

  add(vmm: VmmName, values: Values): void {
    for (const [metric, value] of Object.entries(values)) {
      (this.all[vmm][metric] ??= []).push(value);
    }
  }

  /** @returns undefined when it was not measured */
  median(vmm: VmmName, metric: string): number | undefined {
    const samples = this.all[vmm][metric];
    return samples === undefined ? undefined : median(samples);
  }

  /** Of all rounds; undefined when it was not measured. */
  range(vmm: VmmName, metric: string): { least: number | undefined; most: number | undefined } {
    const sorted = this.all[vmm][metric]?.toSorted((a, b) => a - b) ?? [];
    return { least: sorted[0], most: sorted.at(-1) };
  }

  /** How many rounds a metric was measured in. */
  rounds(vmm: VmmName, metric: string): number {
    return this.all[vmm][metric]?.length ?? 0;
  }
}
