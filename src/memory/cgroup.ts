import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { formatSize, KIB, MIB } from '../units.ts';

/** Memory that somebody above this process can still give, and who that is. */
export interface Room {
  /** Bytes; 0 when there is none. */
  readonly bytes: number;
  /** Whether this process, and the tables for its memory, live on it too. */
  readonly reserve: boolean;
  /** For messages: `memory cgroup /a/b: memory.max=512 MiB`. */
  readonly who: string;
}

/** How much a cgroup lets its processes have in all. */
export interface MemoryLimit {
  readonly bytes: number;
  /** For messages: `memory cgroup /a/b: memory.max=512 MiB`. */
  readonly who: string;
}

/** One cgroup that this process is in: itself, or one above. */
interface Level {
  /** As the kernel names it. */
  readonly path: string;
  readonly folder: string;
}

interface Hierarchy {
  readonly version: 1 | 2;
  /** Innermost first. */
  readonly levels: readonly Level[];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** @returns undefined where there is no such file; Infinity for `max` */
function readBytes(path: string): number | undefined {
  const text = read(path)?.trim();
  if (text === undefined || text === '') return undefined;
  return text === 'max' ? Infinity : Number(text);
}

/** Field of memory.stat or /proc/meminfo. */
function field(text: string | undefined, name: string): number {
  return Number(new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(text ?? '')?.[1] ?? 0);
}

/** Names in mountinfo have blanks and the like as octal numbers. */
const unescapeName = (text: string): string =>
  text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));

function levelsOf(mountRoot: string, mountPoint: string, path: string): readonly Level[] {
  const below = relative(mountRoot, path);
  // Outside of what is mounted here, as in a container that has the host's names: its own is the top.
  const inner = below.startsWith('..') ? '' : below;
  const names = inner === '' ? [] : inner.split('/');
  return Array.from({ length: names.length + 1 }, (_, up) => {
    const part = names.slice(0, names.length - up).join('/');
    return { path: join(mountRoot, part), folder: join(mountPoint, part) };
  });
}

/** The cgroups of this process that have a controller: of version 1 where it is mounted so, else 2. */
function hierarchies(controller: string, proc: string): readonly Hierarchy[] {
  const own = (read(`${proc}/self/cgroup`) ?? '').split('\n').map((line) => {
    const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return { controllers: controllers.split(','), path };
  });
  const found: Hierarchy[] = [];
  for (const line of (read(`${proc}/self/mountinfo`) ?? '').split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '/', point = ''] = left.split(' ').map(unescapeName);
    const [type, , options = ''] = right.split(' ');
    const version = type === 'cgroup2' ? 2 : 1;
    if (version === 1 && (type !== 'cgroup' || !options.split(',').includes(controller))) continue;
    const wanted = version === 2 ? '' : controller;
    const path = own.find(({ controllers }) => controllers.includes(wanted))?.path;
    if (path !== undefined) found.push({ version, levels: levelsOf(root, point, path) });
  }
  return found;
}

/** A limit on a level's memory, without swap; undefined where there is none. */
function limitIn({ folder, path }: Level, name: string): MemoryLimit | undefined {
  const bytes = readBytes(join(folder, name));
  // Version 1 has no word for "none": a number that no machine reaches.
  if (bytes === undefined || bytes >= 2 ** 62) return undefined;
  return { bytes, who: `memory cgroup ${path}: ${name}=${formatSize(bytes)}` };
}

/** What its own limit, or the one for it and swap together, leaves of a level. */
function memoryOf(level: Level, version: 1 | 2, swapFree: number): Room[] {
  const { folder } = level;
  const file = (name: string): string => join(folder, name);
  const [usageFile, limitFiles, cache] =
    version === 2
      ? ['memory.current', ['memory.max', 'memory.high'], ['inactive_file', 'active_file']]
      : [
          'memory.usage_in_bytes',
          ['memory.limit_in_bytes'],
          ['total_inactive_file', 'total_active_file'],
        ];
  const limits = limitFiles.flatMap((name) => limitIn(level, name) ?? []);
  if (limits.length === 0) return [];
  const usage = readBytes(file(usageFile)) ?? 0;
  const stat = read(file('memory.stat'));
  // The kernel drops cached files before it gives up.
  const reclaimable = cache.reduce((sum, name) => sum + field(stat, name), 0);
  const swap = Math.min(swapFree, swapOf(folder, version));
  return limits.map(({ bytes: limit, who }) => ({
    bytes: Math.max(0, limit - usage + Math.min(reclaimable, usage) + swap),
    reserve: true,
    who,
  }));
}

/** Bytes that a level may still move to swap. */
function swapOf(folder: string, version: 1 | 2): number {
  const [limitFile, usageFile] =
    version === 2
      ? ['memory.swap.max', 'memory.swap.current']
      : ['memory.memsw.limit_in_bytes', 'memory.memsw.usage_in_bytes'];
  const limit = readBytes(join(folder, limitFile));
  if (limit === undefined) return version === 2 ? 0 : Infinity;
  const left = Math.max(0, limit - (readBytes(join(folder, usageFile)) ?? 0));
  if (version === 2) return left;
  // Of memory and swap together: what memory alone leaves is no swap.
  const memory = readBytes(join(folder, 'memory.limit_in_bytes')) ?? Infinity;
  const used = readBytes(join(folder, 'memory.usage_in_bytes')) ?? 0;
  return Math.max(0, left - Math.max(0, memory - used));
}

const least = <T extends { readonly bytes: number }>(rooms: readonly T[]): T | undefined =>
  rooms.reduce<T | undefined>(
    (best, room) => (best === undefined || room.bytes < best.bytes ? room : best),
    undefined,
  );

/**
 * The memory that this process can still take before the kernel kills somebody for it: by the limits of
 * its cgroup and all above it, and by what the host has. Others may take it meanwhile.
 *
 * @param proc  where the kernel tells it; a parameter for tests
 */
export function memoryRoom(proc = '/proc'): Room | undefined {
  const meminfo = read(`${proc}/meminfo`);
  const swapFree = field(meminfo, 'SwapFree') * KIB;
  const rooms = hierarchies('memory', proc).flatMap(({ version, levels }) =>
    levels.flatMap((level) => memoryOf(level, version, swapFree)),
  );
  const available = field(meminfo, 'MemAvailable') * KIB;
  if (available > 0) rooms.push({ bytes: available + swapFree, reserve: true, who: 'this host' });
  return least(rooms);
}

/**
 * The narrowest limit on memory of this process's cgroup and all above it: beyond it the kernel kills somebody,
 * whatever the host has.
 *
 * @param proc  where the kernel tells it; a parameter for tests
 * @returns with what may be moved to swap; undefined where nothing limits it
 */
export function memoryLimit(proc = '/proc'): MemoryLimit | undefined {
  const swapFree = field(read(`${proc}/meminfo`), 'SwapFree') * KIB;
  const limits = hierarchies('memory', proc).flatMap(({ version, levels }) => {
    // memory.high slows processes down, and kills none.
    const name = version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
    return levels.flatMap((level): MemoryLimit[] => {
      const limit = limitIn(level, name);
      if (limit === undefined) return [];
      const swap = Math.min(swapFree, swapOf(level.folder, version));
      return [{ ...limit, bytes: limit.bytes + swap }];
    });
  });
  return least(limits);
}

/** `2MB`, as cgroups call a size of huge pages. */
function pageName(pageSize: number): string {
  if (pageSize >= 1024 * MIB) return `${pageSize / (1024 * MIB)}GB`;
  return pageSize >= MIB ? `${pageSize / MIB}MB` : `${pageSize / KIB}KB`;
}

/**
 * The huge pages, in bytes, that hugetlb cgroups let this process still take, or reserve.
 *
 * @returns undefined where nothing limits them
 */
export function hugetlbRoom(
  pageSize: number,
  kind: 'pages' | 'reservations' = 'pages',
  proc = '/proc',
): Room | undefined {
  const stem = `hugetlb.${pageName(pageSize)}${kind === 'pages' ? '' : '.rsvd'}`;
  const rooms: Room[] = [];
  for (const { version, levels } of hierarchies('hugetlb', proc)) {
    const [limitFile, usageFile] =
      version === 2
        ? [`${stem}.max`, `${stem}.current`]
        : [`${stem}.limit_in_bytes`, `${stem}.usage_in_bytes`];
    for (const { folder, path } of levels) {
      const limit = readBytes(join(folder, limitFile));
      if (limit === undefined || limit >= 2 ** 62) continue;
      const used = readBytes(join(folder, usageFile)) ?? 0;
      const who = `hugetlb cgroup ${path}: ${limitFile}=${formatSize(limit)}`;
      rooms.push({ bytes: Math.max(0, limit - used), reserve: false, who });
    }
  }
  return least(rooms);
}
