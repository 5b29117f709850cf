import { addon, type NativeMapping } from '../../kvm/addon.ts';
import type { TsvmmError } from '../../errors.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { formatSize, PAGE_SIZE } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { hugetlbRoom, memoryRoom, type Room } from '../cgroup.ts';
import { thpSize } from '../thp-size.ts';
import { adviseMemory } from './advice.ts';
import { PunchDiscarder } from './discarder.ts';
import { fileTrouble, type OpenFile } from './file-trouble.ts';
import { freeHugePages, isTmpfs } from './huge-pages.ts';
import { MappedBacking, type BackingParts } from './mapped-backing.ts';
import { reservesOnMap, type FileSpec, type MemfdSpec } from './spec.ts';
import { watchFile } from './watch-file.ts';

/** A file that is open and has the right size. */
export interface PlacedFile extends OpenFile {
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** What the mapping's address is a multiple of, at least: bytes. */
  readonly align: number;
  readonly cannotDiscard?: string;
  /** Closes `fd`. */
  readonly close: () => void;
  /** Undoes what was done to the file, if it is closed before it is kept. */
  readonly undo?: (() => void) | undefined;
}

/** @throws ConfigError for a size that is not whole pages */
export function checkPages(id: string, key: string, value: number, pageSize: number): void {
  if (value % pageSize === 0) return;
  const message = `--memory-backend id=${id}: ${key}=${value}: not a multiple of the page size, ${formatSize(pageSize)}`;
  throw new ConfigError('BAD_BACKEND', message);
}

function mapFailed(spec: MemfdSpec | FileSpec, file: PlacedFile, cause: unknown): TsvmmError {
  const { id, size } = spec;
  let why = messageOf(cause);
  if (file.pageSize > PAGE_SIZE && reservesOnMap(spec)) {
    const wanted = size / file.pageSize;
    const free = freeHugePages(file.pageSize);
    const page = formatSize(file.pageSize);
    const room = hugetlbRoom(file.pageSize, 'reservations');
    if (room !== undefined && room.bytes < size) {
      why = `${room.who}, and ${formatSize(room.bytes)} of that are left`;
    } else if (free < wanted) {
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
      noReserve: !reservesOnMap(spec),
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
  const { fd, pageSize, cannotDiscard } = file;
  let mapping: NativeMapping | undefined;
  const resources = new Resources(file.close, file.undo);
  try {
    checkPages(id, 'size', spec.size, pageSize);
    mapping = mapOpenFile(spec, file);
    adviseMemory(mapping, spec);
    return new MappedBacking({
      id,
      mapping,
      discarder: new PunchDiscarder(mapping, file, share),
      pageSize,
      sharedZeropage: false,
      populateCanFail: true,
      threads: spec.preallocThreads,
      ...(cannotDiscard === undefined ? {} : { cannotDiscard }),
      keep: () => resources.keep(),
      isCharged: isMemory(spec, file),
      room: () => fileRoom(spec, file),
      secure: securer(spec, file, mapping),
      watch: (callback) => {
        if (spec.type === 'file' || !spec.seal) resources.add(watchFile(fd, callback));
      },
      trouble: () => fileTrouble(file),
      release: () => resources.close(),
    });
  } catch (error) {
    mapping?.close();
    resources.close();
    throw error;
  }
}

/** Where pages of a file come from. Those of a disk's file make room for each other. */
function fileRoom(spec: MemfdSpec | FileSpec, file: PlacedFile): Room | undefined {
  if (file.pageSize > PAGE_SIZE) return hugetlbRoom(file.pageSize);
  return isMemory(spec, file) ? memoryRoom() : undefined;
}

/** Whether its pages are memory in base pages, and no disk has room for them. */
function isMemory(spec: MemfdSpec | FileSpec, file: PlacedFile): boolean {
  if (file.pageSize > PAGE_SIZE) return false;
  return spec.type === 'memfd' || !spec.share || isTmpfs(file.fd);
}

/**
 * What sets memory aside before the guest gets it. A memfd of base pages needs none of that: nothing
 * limits it but the host's memory itself.
 */
function securer(
  spec: MemfdSpec | FileSpec,
  file: PlacedFile,
  mapping: NativeMapping,
): BackingParts['secure'] {
  const { fd, offset: start, pageSize } = file;
  if (spec.type === 'memfd' && pageSize === PAGE_SIZE && spec.reserve !== true) return undefined;
  // Pages of a private mapping are the process's own: those of the file would come on top.
  if (!spec.share) {
    return (offset, length) => mapping.populate(offset, length, spec.preallocThreads);
  }
  return (offset, length) => addon.fallocateAsync(fd, 0, start + offset, length);
}

/** A descriptor and what else goes with it; closed once. */
class Resources {
  #closeFile: (() => void) | undefined;
  #undo: (() => void) | undefined;
  readonly #others: { close(): void }[] = [];

  constructor(closeFile: () => void, undo: (() => void) | undefined) {
    this.#closeFile = closeFile;
    this.#undo = undo;
  }

  add(other: { close(): void }): void {
    this.#others.push(other);
  }

  keep(): void {
    this.#undo = undefined;
  }

  close(): void {
    for (const other of this.#others.splice(0)) other.close();
    this.#undo?.();
    this.keep();
    this.#closeFile?.();
    this.#closeFile = undefined;
  }
}
