import { readFileSync, readlinkSync, statSync, type Stats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ConfigError, messageOf } from '../../errors.ts';
import { filePageSize } from './huge-pages.ts';

/** What there is at a path. */
export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'device-dax' | 'missing' | 'other';
  /** Bytes; 0 for a folder and for what is missing. */
  readonly size: number;
  /** Bytes; what a file made there would have. */
  readonly pageSize: number;
}

/** sysfs folder of a character device. */
function sysfsFolder(stats: Stats, sysfs: string): string {
  // makedev(3): 12 bits of major, 20 bits of minor, interleaved.
  const major = Math.floor(stats.rdev / 2 ** 8) % 2 ** 12;
  const minor = (stats.rdev % 2 ** 8) + Math.floor(stats.rdev / 2 ** 20) * 2 ** 8;
  return `${sysfs}/dev/char/${major}:${minor}`;
}

/** @returns undefined for any other device */
function inspectDeviceDax(stats: Stats, sysfs: string): FileFacts | undefined {
  const folder = sysfsFolder(stats, sysfs);
  try {
    if (basename(readlinkSync(`${folder}/subsystem`)) !== 'dax') return undefined;
    const number = (name: string): number => Number(readFileSync(`${folder}/${name}`, 'utf8'));
    return { kind: 'device-dax', size: number('size'), pageSize: number('align') };
  } catch {
    return undefined;
  }
}

/**
 * Looks at a path without opening it.
 *
 * @param sysfs  a parameter for tests
 * @throws ConfigError when it cannot be looked at
 */
export function inspectPath(path: string, sysfs = '/sys'): FileFacts {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) {
      return { kind: 'missing', size: 0, pageSize: filePageSize(dirname(path)) };
    }
    if (stats.isCharacterDevice()) {
      const dax = inspectDeviceDax(stats, sysfs);
      if (dax !== undefined) return dax;
    }
    const pageSize = filePageSize(path);
    if (stats.isDirectory()) return { kind: 'folder', size: 0, pageSize };
    return { kind: stats.isFile() ? 'file' : 'other', size: stats.size, pageSize };
  } catch (cause) {
    const message = `--memory-backend file: mem-path=${path}: ${messageOf(cause)}`;
    throw new ConfigError('BAD_BACKEND', message, { cause });
  }
}
