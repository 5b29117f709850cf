import type { IoHandler } from './io-space.ts';

/** A range as its backend serves it. */
export interface ServedRange {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly handler: IoHandler;
  readonly read: 'sync' | 'shadow';
  readonly write: 'sync' | 'post';
  /** Names the range in exits and posted writes; it keeps its tag when it moves. */
  readonly tag: number;
}
