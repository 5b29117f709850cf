/** Where the host takes pages from (mbind). */
export type MemoryPolicy = 'default' | 'bind' | 'preferred' | 'interleave';

interface CommonSpec {
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  /** Whether writes reach the file, and others who map it. */
  readonly share: boolean;
  /** Allocate everything before the machine starts. */
  readonly prealloc: boolean;
  /** Threads that allocate, at most. */
  readonly preallocThreads: number;
  /**
   * Whether the host sets all of it aside (huge pages, commit charge, file space) when it is mapped.
   * Absent: where that costs nothing, and of sparse memory each part when it is handed out.
   */
  readonly reserve: boolean | undefined;
  /** Whether a device hands it out in parts: most of it stays empty. */
  readonly sparse: boolean;
  /** Bytes of the parts in which it is handed out; absent where it is used as a whole. */
  readonly partSize?: number | undefined;
  /** Transparent huge pages: asked for, refused, or whichever is usual for its kind. */
  readonly thp: boolean | undefined;
  /** Let KSM merge equal pages. */
  readonly merge: boolean;
  /** Whether core dumps of the process contain it. */
  readonly dump: boolean;
  readonly policy: MemoryPolicy;
  /** Host NUMA nodes that the policy names. */
  readonly hostNodes: readonly number[];
}

/** Anonymous memory. */
export interface RamSpec extends CommonSpec {
  readonly type: 'ram';
}

/** A file without a name, which other processes can be given. */
export interface MemfdSpec extends CommonSpec {
  readonly type: 'memfd';
  /** Bytes; 0 for base pages. */
  readonly hugePageSize: number;
  /** Nobody can grow or shrink it. */
  readonly seal: boolean;
}

/** A file, a file without a name in a folder, or a device-dax. */
export interface FileSpec extends CommonSpec {
  readonly type: 'file';
  readonly path: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** What the host address is a multiple of, if more than usual: bytes. */
  readonly align: number | undefined;
  readonly readonly: boolean;
}

/** Host memory that the kernel was told to leave alone, by its physical address. */
export interface DevmemSpec extends CommonSpec {
  readonly type: 'devmem';
  readonly base: number;
}

/** Which memory is wanted, with every default filled in. */
export type BackingSpec = RamSpec | MemfdSpec | FileSpec | DevmemSpec;

/** Plain memory, as a device without a backend of its own gets. */
export function plainSpec(id: string, size: number, partSize?: number): RamSpec {
  return {
    type: 'ram',
    id,
    size,
    share: false,
    prealloc: false,
    preallocThreads: 1,
    reserve: false,
    sparse: true,
    partSize,
    thp: undefined,
    merge: false,
    dump: true,
    policy: 'default',
    hostNodes: [],
  };
}

/** Whether mapping it sets it all aside, as far as mapping can. */
export function reservesOnMap({ reserve, sparse }: BackingSpec): boolean {
  return reserve ?? !sparse;
}
