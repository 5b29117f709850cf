import type { NativeMapping } from '../kvm/addon.ts';

/** What host memory can do: it decides how devices may use it. */
export interface BackingTraits {
  /** Bytes: what it hands out and takes back at the least. */
  readonly pageSize: number;
  /** Whether reading a page that was never written costs no memory. */
  readonly sharedZeropage: boolean;
  /** Whether discarded memory goes back to the host. Else it is filled with zeros, and stays taken. */
  readonly frees: boolean;
  /** How it is discarded, for people: `MADV_DONTNEED`, `punch hole`. */
  readonly discardMethod: string;
  /** Whether allocating can fail. Where it cannot, the memory is there from the start. */
  readonly populateCanFail: boolean;
}

/**
 * Host memory behind a region of guest memory. Ranges are byte offsets from its start,
 * multiples of the page size.
 */
export interface Backing extends BackingTraits {
  /** Whether what is touched of it counts against the limits of memory cgroups. */
  readonly isCharged: boolean;
  /** Bytes. */
  readonly size: number;
  readonly mapping: NativeMapping;
  /**
   * Takes memory away; it reads as zeros afterwards. Ranges that could block the event loop are
   * dropped on another thread: then a promise comes back.
   * @throws (or rejects) when the host refuses
   */
  discard(offset: number, length: number): void | Promise<void>;
  /**
   * Makes a range ready for the guest: it reads zeros. Most memory does when it was discarded;
   * memory that cannot be freed may still hold what others left there before us.
   */
  clear(offset: number, length: number): void | Promise<void>;
  /**
   * Allocates every page. Always on another thread.
   * @param signal  gives up, soon
   * @returns rejects with HostError when the host has no memory for it
   */
  populate(offset: number, length: number, signal?: AbortSignal): Promise<void>;
  /**
   * Looks whether it can be handed out in parts; changes nothing.
   * @throws ConfigError when parts of this memory cannot be taken back
   */
  checkDiscards(): void;
  /**
   * Drops whatever it holds, before a device hands it out in parts. On another thread.
   * @param signal  gives up, soon
   * @returns bytes that it held; rejects with HostError when the host refuses
   */
  startEmpty(signal?: AbortSignal): Promise<number>;
  /** What was made or grown to be mapped stays when it is closed; until then that is undone. */
  keep(): void;
  /**
   * Makes sure that the host has the memory when the guest touches it. Where huge pages or the space
   * of a file system run out, a guest's access can no longer be refused in good order.
   * @param signal  gives up, soon
   * @returns undefined where nothing needs to be done
   */
  secure(offset: number, length: number, signal?: AbortSignal): Promise<void> | undefined;
  /** Calls back when memory that was there is gone, as when a file is cut short. */
  onLoss(callback: () => void): void;
  /** Why the host does not give memory now, as far as it can be told: a predicate on the backing. */
  trouble(): string | undefined;
  /** Unmaps. Idempotent. */
  close(): void;
}

/**
 * Up to here a discard runs on the event loop: dropping 4 MiB of touched base pages takes a few
 * hundred microseconds at most, a trip to another thread and back always some tens.
 */
export const INLINE_DISCARD_LIMIT = 4 * 2 ** 20;
