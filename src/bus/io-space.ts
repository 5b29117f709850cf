/*
 * Port and MMIO spaces as devices see them. The machine gives the KVM-backed implementation;
 * testing/fake-io-space.ts gives one that a unit test drives.
 */

/**
 * Serves accesses of 1, 2 or 4 bytes (an 8-byte access comes as two of 4, low half first).
 * Offsets count from the base of the range; an access never reaches past its end.
 */
export interface IoHandler {
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
  /** Reads of 3, 5, 6 and 7 bytes come as single bytes; else nobody answers them. */
  readonly takesAnySize?: boolean;
}

export interface IoRangeOptions {
  /** For `info mtree`. */
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly handler: IoHandler;
  /** Default `sync`. With `shadow` the handler's read is never called: keep `shadow` up to date. */
  readonly read?: 'sync' | 'shadow';
  /** Default `sync`. With `post` the write reaches the handler later, in order. */
  readonly write?: 'sync' | 'post';
}

export interface IoRange {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  /** What shadow reads answer; present when `read` is `shadow`. */
  readonly shadow: Uint8Array | undefined;
  /** Moves the range; @throws ConfigError when it would overlap another. */
  move(base: number): void;
  /** Idempotent. */
  remove(): void;
}

/** One address space: ports, or memory-mapped I/O. */
export interface IoSpace {
  /** @throws ConfigError when the range overlaps another or leaves the space */
  add(options: IoRangeOptions): IoRange;
  /** Whether a range could be added there: inside the space, overlapping nothing. */
  isFree(base: number, size: number): boolean;
  /** Sorted by base, for `info mtree`. */
  ranges(): readonly IoRange[];
}
