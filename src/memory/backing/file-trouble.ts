import { fstatSync, statfsSync } from 'node:fs';
import { hugePageTrouble } from './huge-pages.ts';
import { formatSize, PAGE_SIZE } from '../../units.ts';

export interface OpenFile {
  readonly fd: number;
  /** For messages: a path, or `memfd`. */
  readonly name: string;
  /** Bytes of the file that must be there: offset and size of what is mapped. */
  readonly end: number;
  readonly pageSize: number;
}

/** Why memory of a file is not to be had: it was cut short, or there is no more of it. */
export function fileTrouble(file: OpenFile): string | undefined {
  const { fd, name, end, pageSize } = file;
  const { size } = fstatSync(fd);
  if (size < end) return `${name} was cut to ${formatSize(size)}; ${formatSize(end)} are mapped`;
  if (pageSize > PAGE_SIZE) {
    const none = hugePageTrouble(pageSize);
    if (none !== undefined) return none;
  }
  const { blocks, bavail } = statfsSync(`/proc/self/fd/${fd}`);
  if (blocks > 0 && bavail === 0) return `the file system of ${name} is full`;
  return undefined;
}
