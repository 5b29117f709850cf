import { closeSync } from 'node:fs';
import { addon, type NativeMapping } from '../../kvm/addon.ts';
import type { TsvmmError } from '../../errors.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { formatSize, PAGE_SIZE } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { thpSize } from '../thp-size.ts';
import { adviseMemory } from './advice.ts';
import { PunchDiscarder } from './discarder.ts';
import { fileTrouble, type OpenFile } from './file-trouble.ts';
import { freeHugePages } from './huge-pages.ts';
import { MappedBacking } from './mapped-backing.ts';
import type { FileSpec, MemfdSpec } from './spec.ts';

/** A file that is open and has the right size. */
export interface PlacedFile extends OpenFile {
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** What the mapping's address is a multiple of, at least: bytes. */
  readonly align: number;
  readonly mayHoldData: boolean;
  readonly cannotDiscard?: string;
}

/** @throws ConfigError for a size that is not whole pages */
export function checkPages(id: string, key: string, value: number, pageSize: number): void {
  if (value % pageSize === 0) return;
  const message = `--memory-backend id=${id}: ${key}=${value}: not a multiple of the page size, ${formatSize(pageSize)}`;
  throw new ConfigError('BAD_BACKEND', message);
}

function mapFailed(spec: MemfdSpec | FileSpec, file: PlacedFile, cause: unknown): TsvmmError {
  const { id, size, reserve } = spec;
  let why = messageOf(cause);
  if (file.pageSize > PAGE_SIZE && reserve !== false) {
    const wanted = size / file.pageSize;
    const free = freeHugePages(file.pageSize);
    const page = formatSize(file.pageSize);
    if (free < wanted) {
      why = `${wanted} huge pages of ${page} are needed and ${free} are free; raise vm.nr_hugepages, or give reserve=off`;
    }
  }
  const message = `memory backend ${id}: cannot map ${formatSize(size)} of ${file.name}: ${why}`;
  return new HostError('MAP_FAILED', message, { cause });
}

function mapOpenFile(spec: MemfdSpec | FileSpec, file: PlacedFile): NativeMapping {
  try {
    return addon.mapMemory({
      size: spec.size,
      alignment: Math.max(thpSize(), file.pageSize, file.align),
      shared: spec.share,
      noReserve: spec.reserve === false,
      access: 'read-write',
      fd: file.fd,
      fdOffset: file.offset,
      pageSize: file.pageSize,
    });
  } catch (cause) {
    throw mapFailed(spec, file, cause);
  }
}

/** Maps a file that has been opened, and owns it from now on. @throws ConfigError, HostError */
export function mapFile(spec: MemfdSpec | FileSpec, file: PlacedFile): Backing {
  const { id, share } = spec;
  const { fd, offset, pageSize, mayHoldData, cannotDiscard } = file;
  let mapping: NativeMapping | undefined;
  try {
    checkPages(id, 'size', spec.size, pageSize);
    mapping = mapOpenFile(spec, file);
    adviseMemory(mapping, spec, !share);
    return new MappedBacking({
      id,
      mapping,
      discarder: new PunchDiscarder(mapping, fd, offset, share),
      pageSize,
      sharedZeropage: false,
      populateCanFail: true,
      threads: spec.preallocThreads,
      mayHoldData,
      ...(cannotDiscard === undefined ? {} : { cannotDiscard }),
      trouble: () => fileTrouble(file),
      release: once(() => closeSync(fd)),
    });
  } catch (error) {
    mapping?.close();
    closeSync(fd);
    throw error;
  }
}

/** A function that does it the first time only. */
function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
