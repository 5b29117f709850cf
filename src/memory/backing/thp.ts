import { readFileSync } from 'node:fs';
import { KIB } from '../../units.ts';
import { thpSize } from '../thp-size.ts';
import type { BackingSpec } from './spec.ts';

const SYSFS = '/sys/kernel/mm/transparent_hugepage';

/** Where the kernel tells how it is set; parameters so that tests can point at made-up files. */
export interface ThpPaths {
  readonly sysfs?: string;
  readonly status?: string;
}

/** What is between the brackets: the choice that holds. */
function choice(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return /\[(.*)\]/.exec(text)?.[1] ?? text;
  } catch {
    return undefined;
  }
}

/** Whether transparent huge pages are a question at all: the pages of files and devices are as they are. */
function isPlain(spec: BackingSpec): boolean {
  // What a private mapping of a memfd copies is copied in base pages.
  return spec.type === 'ram' || (spec.type === 'memfd' && spec.hugePageSize === 0 && spec.share);
}

/** Whether its pages belong to this process alone, or to an object of shared memory. */
function isAnonymous(spec: BackingSpec): boolean {
  return !spec.share;
}

/** Whether parts of it are handed out that are smaller than a huge page. */
function hasSmallParts({ partSize }: BackingSpec): boolean {
  return partSize !== undefined && partSize < thpSize();
}

/**
 * Whether the kernel is asked for transparent huge pages: where nobody has said, it is for anonymous
 * memory and memfds. It is asked for none where parts smaller than a huge page are handed out:
 * taking one of them away would split the page and free nothing.
 *
 * @returns undefined where the kernel decides
 */
export function wantsThp(spec: BackingSpec): boolean | undefined {
  return spec.thp ?? (isPlain(spec) ? !hasSmallParts(spec) : undefined);
}

/** Why the kernel gives no transparent huge pages to memory that asks for them; undefined where it does. */
export function thpTrouble(spec: BackingSpec, paths: ThpPaths = {}): string | undefined {
  const { sysfs = SYSFS, status = '/proc/self/status' } = paths;
  const name = isAnonymous(spec) ? 'enabled' : 'shmem_enabled';
  // Newer kernels have a word for each size, which usually refers to the one for all.
  const own = `${sysfs}/hugepages-${thpSize() / KIB}kB/${name}`;
  const general = choice(`${sysfs}/${name}`) ?? 'missing';
  const special = choice(own) ?? 'inherit';
  // `deny` is for emergencies, and holds for all.
  const path = special === 'inherit' || general === 'deny' ? `${sysfs}/${name}` : own;
  const value = path === own ? special : general;
  if (['never', 'deny', 'missing'].includes(value)) return `${path} is ${value}`;
  if (choice(status)?.includes('\nTHP_enabled:\t0') === true) {
    return 'this process may have none (PR_SET_THP_DISABLE)';
  }
  return undefined;
}

/** For people: whether it has transparent huge pages; undefined where they are no question. */
export function describeThp(spec: BackingSpec, paths: ThpPaths = {}): string | undefined {
  const wants = wantsThp(spec);
  if (wants === undefined) return undefined;
  if (!wants) {
    return spec.thp === undefined ? 'off, since blocks are smaller than a huge page' : 'off';
  }
  const trouble = thpTrouble(spec, paths);
  return trouble === undefined ? 'on' : `on, but without effect: ${trouble}`;
}
