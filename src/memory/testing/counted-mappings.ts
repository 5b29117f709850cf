import type { MappingBudget } from '../mapping-budget.ts';

/** So many mappings, whatever the process has. */
export class CountedMappings implements MappingBudget {
  #left: number;

  constructor(count: number) {
    this.#left = count;
  }

  get left(): number {
    return this.#left;
  }

  take(count: number): boolean {
    if (count > 0 && count > this.#left) return false;
    this.force(count);
    return true;
  }

  force(count: number): void {
    this.#left -= count;
  }
}
