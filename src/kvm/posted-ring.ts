/*
 * The ring of posted writes, filled by vCPU threads under a lock, drained by JavaScript.
 * u32 head at 0 (next entry to fill) and u32 tail at 64 (next to drain), both counting without
 * wrapping at the ring size; entries from 128 on. Little-endian; head and tail via Atomics.
 */
export const POSTED_RING = {
  head: 0,
  tail: 64,
  entries: 128,
  /** Entries, a power of two. */
  capacity: 1024,
  /** Bytes of an entry: u32 tag, u32 vcpu id, u32 offset in the range, u32 size, u64 data. */
  stride: 24,
} as const;
