import { GIB, MIB, PAGE_SIZE } from '../units.ts';

/** What KVM allocates with a memslot; the rest comes when the guest first runs a guest of its own. */
export interface MetadataModel {
  /** Reverse maps, which the TDP MMU does without. */
  readonly reverseMaps: boolean;
  /** Counters of write tracking, which only shadow paging needs, and old kernels always have. */
  readonly writeTracking: boolean;
  /**
   * Whether a guest can run guests of its own here. Shadowing their page tables takes all of it, for
   * every memslot at once.
   */
  readonly nesting: boolean;
}

const REVERSE_MAP_BYTES = 8;
const LARGE_PAGE_INFO_BYTES = 4;
const WRITE_TRACKING_BYTES = 2;

/** An array as vmalloc makes it: whole pages. */
function arrayBytes(entries: number, entryBytes: number): number {
  return Math.ceil((entries * entryBytes) / PAGE_SIZE) * PAGE_SIZE;
}

/**
 * Host memory that KVM allocates for a memslot's metadata when it is made, in bytes: a reverse map
 * per 4 KiB, 2 MiB and 1 GiB page, large-page info for the latter two, a tracking counter per page.
 */
export function memslotMetadataBytes(sizeBytes: number, model: MetadataModel): number {
  const pages = Math.ceil(sizeBytes / PAGE_SIZE);
  const large = [Math.ceil(sizeBytes / (2 * MIB)), Math.ceil(sizeBytes / GIB)];
  const sum = (counts: readonly number[], entryBytes: number): number =>
    counts.reduce((all, count) => all + arrayBytes(count, entryBytes), 0);
  return (
    sum(large, LARGE_PAGE_INFO_BYTES) +
    (model.reverseMaps ? sum([pages, ...large], REVERSE_MAP_BYTES) : 0) +
    (model.writeTracking ? arrayBytes(pages, WRITE_TRACKING_BYTES) : 0)
  );
}

/** What it is once the guest has run a guest of its own, where it can. */
export function whenNesting(model: MetadataModel): MetadataModel {
  return model.nesting ? { ...model, reverseMaps: true, writeTracking: true } : model;
}
