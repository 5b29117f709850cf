import { readFileSync } from 'node:fs';

/** What the kernel allows where nobody has changed it (vm.max_map_count). */
const USUAL_LIMIT = 65_530;

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * How many mappings this process can still make, less a quarter of what the kernel allows: a process
 * without any cannot even start a thread.
 *
 * @param proc  where the kernel tells its limit and this process's mappings; a parameter for tests
 */
export function spareMappings(proc = '/proc'): number {
  const limit = Number(read(`${proc}/sys/vm/max_map_count`)) || USUAL_LIMIT;
  const inUse = read(`${proc}/self/maps`).split('\n').length - 1;
  return Math.max(0, limit - Math.ceil(limit / 4) - inUse);
}

/**
 * Mappings that the process may spend on borders between accessible and inaccessible memory: the
 * kernel keeps one per range of equal protection, and stops at vm.max_map_count.
 */
export class MappingBudget {
  #left: number;

  constructor(count: number) {
    this.#left = count;
  }

  get left(): number {
    return this.#left;
  }

  /** Takes `count` mappings, or gives them back when it is negative. @returns whether there were so many */
  take(count: number): boolean {
    if (count > 0 && count > this.#left) return false;
    this.force(count);
    return true;
  }

  /** As `take`, for mappings that are in use already, even where there were none left. */
  force(count: number): void {
    this.#left -= count;
  }
}
