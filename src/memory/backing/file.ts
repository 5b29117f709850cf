import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { claimantOf, claimFile } from '../../claimed-files.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { formatSize, isPowerOfTwo } from '../../units.ts';
import type { Backing } from '../backing.ts';
import type { FileFacts } from './file-facts.ts';
import { filePageSize } from './huge-pages.ts';
import { checkPages, mapFile } from './map-file.ts';
import type { FileSpec } from './spec.ts';

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = constants;
/** Names of device-dax. */
const DEVICE_NAME = /^\/dev\/dax/;
/** Only its owner may read what a guest has in memory. */
const MODE = 0o600;

function refuse(spec: FileSpec, why: string, cause?: unknown): never {
  const message = `--memory-backend id=${spec.id}: mem-path=${spec.path}: ${why}`;
  throw new ConfigError('BAD_BACKEND', message, { cause });
}

/** Opens the file, or makes one; in a folder (hugetlbfs, tmpfs) one that has no name any more. */
function openPath(spec: FileSpec, kind: FileFacts['kind']): number {
  const access = spec.readonly ? O_RDONLY : O_RDWR;
  try {
    if (kind === 'missing' && !spec.readonly) {
      return openSync(spec.path, access | O_CREAT | O_EXCL, MODE);
    }
    if (kind !== 'folder') return openSync(spec.path, access);
    if (spec.readonly) return refuse(spec, 'readonly=on, but a folder holds nothing to read');
    const path = join(spec.path, `tsvmm-${spec.id}-${process.pid}-${Date.now()}`);
    const fd = openSync(path, O_RDWR | O_CREAT | O_EXCL, MODE);
    unlinkSync(path);
    return fd;
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    return refuse(spec, `cannot open it: ${messageOf(cause)}`, cause);
  }
}

/** How to undo, while the file is open, what is about to be done to it. */
function undoOf(spec: FileSpec, fd: number, kind: FileFacts['kind']): (() => void) | undefined {
  const { dev, ino, size } = fstatSync(fd);
  if (kind === 'folder' || spec.readonly || size > 0) return undefined;
  if (kind !== 'missing') return () => ftruncateSync(fd, 0);
  return () => {
    const now = statSync(spec.path, { throwIfNoEntry: false });
    if (now?.dev === dev && now.ino === ino) unlinkSync(spec.path);
  };
}

/** Grows a new file; one that has content is never cut or grown. */
function placeFile(spec: FileSpec, fd: number): void {
  const end = spec.offset + spec.size;
  const { size } = fstatSync(fd);
  if (size >= end) return;
  if (size > 0 || spec.readonly) {
    refuse(
      spec,
      `the file has ${formatSize(size)}; offset and size together are ${formatSize(end)}`,
    );
  }
  try {
    ftruncateSync(fd, end);
  } catch (cause) {
    const message = `memory backend ${spec.id}: cannot grow ${spec.path} to ${formatSize(end)}: ${messageOf(cause)}`;
    throw new HostError('FILE_FAILED', message, { cause });
  }
}

/** @throws ConfigError */
export function checkAlign(spec: FileSpec, pageSize: number): void {
  const { id, align } = spec;
  if (align === undefined || (isPowerOfTwo(align) && align >= pageSize)) return;
  const message = `--memory-backend id=${id}: align=${align}: must be a power of two from the page size on, ${pageSize}`;
  throw new ConfigError('BAD_BACKEND', message);
}

/** A file, or one without a name in a folder. @throws ConfigError, HostError */
export function openFile(spec: FileSpec, facts: FileFacts): Backing {
  // A file made there would be lost with the device's next start, and nobody meant it.
  if (facts.kind === 'missing' && DEVICE_NAME.test(spec.path))
    refuse(spec, 'there is no such device');
  if (facts.kind === 'other') refuse(spec, 'neither a file, nor a folder, nor a device-dax');
  const use = spec.readonly ? 'input' : 'memory';
  const claimant = claimantOf(spec.path, use);
  if (claimant !== undefined) refuse(spec, `it is ${claimant}`);
  const fd = openPath(spec, facts.kind);
  const undo = undoOf(spec, fd, facts.kind);
  let file;
  try {
    const pageSize = filePageSize(`/proc/self/fd/${fd}`);
    checkPages(spec.id, 'size', spec.size, pageSize);
    checkPages(spec.id, 'offset', spec.offset, pageSize);
    checkAlign(spec, pageSize);
    placeFile(spec, fd);
    const giveUp = claimFile(`memory backend ${spec.id}`, use, fd);
    file = {
      fd,
      name: spec.path,
      offset: spec.offset,
      end: spec.offset + spec.size,
      pageSize,
      align: spec.align ?? 0,
      close: () => {
        giveUp();
        closeSync(fd);
      },
      undo,
      ...(spec.readonly ? { cannotDiscard: READONLY_REASON } : {}),
    };
  } catch (error) {
    undo?.();
    closeSync(fd);
    throw error;
  }
  return mapFile(spec, file);
}

const READONLY_REASON =
  'readonly=on: a memory device makes holes in its file where the guest gives memory back, so it must write to it';
