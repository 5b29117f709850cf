import type { IoHandler } from '../bus/io-space.ts';

/** A part of a BAR with a handler of its own; whatever no region covers reads as 0. */
export interface BarRegion {
  /** For `info mtree`, after the function's name. */
  readonly name: string;
  /** Bytes from the base of the BAR. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Offsets count from the start of the region. */
  readonly handler: IoHandler;
  /** As in IoRangeOptions. With `shadow`, `handler.read` serves only `PciFunction.readBar`. */
  readonly read?: 'sync' | 'shadow';
  readonly write?: 'sync' | 'post';
  /**
   * With `read: 'shadow'`: the bytes that answer reads from now on, to be filled at once and kept
   * up to date; undefined while the BAR is not decoded.
   */
  readonly onShadow?: (shadow: Uint8Array | undefined) => void;
}

export type BarKind = 'io' | 'memory32' | 'memory64';

/** One base address register (PCI 3.0 §6.2.5.1). */
export interface BarOptions {
  /** 0 to 5; a `memory64` BAR takes the next index too. */
  readonly index: number;
  readonly kind: BarKind;
  readonly prefetchable?: boolean;
  /** Bytes: a power of two, from 16 (memory) or 4 (I/O, to 256). */
  readonly size: number;
  /** Disjoint, inside `size`. The MSI-X table and pending bits are added by the function. */
  readonly regions: readonly BarRegion[];
}
