import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';

const MAX_MAP_COUNT = '/proc/sys/vm/max_map_count';

/** A machine that is only ours: nobody else suffers from what it is set to. */
export const isOurs = process.env['TSVMM_NESTED'] === '1';

export function mayLowerLimits(): boolean {
  try {
    accessSync(MAX_MAP_COUNT, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs `work` while a process may have few mappings; those that run already have fewer. */
export async function withFewMappings<T>(limit: number, work: () => Promise<T>): Promise<T> {
  const before = readFileSync(MAX_MAP_COUNT, 'utf8');
  writeFileSync(MAX_MAP_COUNT, String(limit));
  try {
    return await work();
  } finally {
    writeFileSync(MAX_MAP_COUNT, before);
  }
}
