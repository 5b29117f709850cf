import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { formatSize, KIB, PAGE_SIZE } from '../../units.ts';
import { hugetlbRoom } from '../cgroup.ts';

const SYSFS = '/sys/kernel/mm/hugepages';
/** statfs(2). */
const HUGETLBFS_MAGIC = 0x9584_58f6;
const TMPFS_MAGIC = 0x0102_1994;

function readCount(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return 0;
  }
}

/** Sizes of huge pages that this host knows, in bytes, ascending. */
export function hugePageSizes(sysfs = SYSFS): readonly number[] {
  if (!existsSync(sysfs)) return [];
  return readdirSync(sysfs)
    .map((name) => Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0) * KIB)
    .filter((size) => size > 0)
    .sort((a, b) => a - b);
}

/** What the kernel takes where no size is named, in bytes. */
export function defaultHugePageSize(meminfo = '/proc/meminfo'): number {
  const kilobytes = /^Hugepagesize:\s+(\d+) kB$/m.exec(readFileSync(meminfo, 'utf8'))?.[1];
  return Number(kilobytes ?? 2 * KIB) * KIB;
}

/** Huge pages of `size` bytes that nobody uses and nobody has reserved. */
export function freeHugePages(size: number, sysfs = SYSFS): number {
  const folder = `${sysfs}/hugepages-${size / KIB}kB`;
  return readCount(`${folder}/free_hugepages`) - readCount(`${folder}/resv_hugepages`);
}

/** Page size of the file system that holds an open file or a folder, in bytes. */
export function filePageSize(path: string): number {
  const { type, bsize } = statfsSync(path);
  return type === HUGETLBFS_MAGIC ? bsize : PAGE_SIZE;
}

/** Whether an open file's pages are memory, and swap. */
export const isTmpfs = (fd: number): boolean =>
  statfsSync(`/proc/self/fd/${fd}`).type === TMPFS_MAGIC;

/** For messages: why huge pages are not to be had. */
export function hugePageTrouble(pageSize: number, sysfs = SYSFS): string | undefined {
  if (freeHugePages(pageSize, sysfs) > 0) {
    const room = hugetlbRoom(pageSize);
    return room !== undefined && room.bytes < pageSize ? `${room.who}, all of it taken` : undefined;
  }
  return `no free huge page of ${formatSize(pageSize)} is left (see ${SYSFS}/hugepages-${pageSize / KIB}kB/nr_hugepages)`;
}
