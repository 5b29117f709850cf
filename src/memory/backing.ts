import { addon, type NativeMapping } from '../kvm/addon.ts';
import { HostError, messageOf } from '../errors.ts';
import { formatSize, MIB, PAGE_SIZE } from '../units.ts';
import { thpSize } from './thp-size.ts';

/**
 * Host memory behind a region of guest memory. Ranges are byte offsets from its start,
 * multiples of the page size.
 */
export interface Backing {
  /** Bytes. */
  readonly size: number;
  /** Bytes: what it hands out and takes back at the least. */
  readonly pageSize: number;
  /** Whether reading a page that was never written costs no memory. */
  readonly sharedZeropage: boolean;
  readonly mapping: NativeMapping;
  /**
   * Gives the memory back to the host; it reads as zeros afterwards. Ranges that could block the
   * event loop are dropped on another thread: then a promise comes back.
   * @throws HostError (or rejects) when the host refuses
   */
  discard(offset: number, length: number): void | Promise<void>;
  /**
   * Allocates every page. Always on another thread.
   * @returns rejects with HostError when the host has no memory for it
   */
  populate(offset: number, length: number): Promise<void>;
  /** Unmaps. Idempotent. */
  close(): void;
}

/** KVM API and madvise(2) numbers. */
const MADV_DONTNEED = 4;
const MADV_POPULATE_WRITE = 23;

/**
 * Up to here a discard runs on the event loop: dropping 4 MiB of touched base pages takes a few
 * hundred microseconds at most, a trip to another thread and back always some tens.
 */
const INLINE_DISCARD_LIMIT = 4 * MIB;

/** Private anonymous memory: nothing is allocated before it is touched. */
export class AnonymousBacking implements Backing {
  readonly size: number;
  readonly pageSize = PAGE_SIZE;
  readonly sharedZeropage = true;
  readonly mapping: NativeMapping;

  /** @throws HostError when the address space does not hold `size` bytes */
  constructor(size: number) {
    this.size = size;
    try {
      this.mapping = addon.mapMemory({
        size,
        // Huge pages of the host and of the guest's tables line up only if the mapping does.
        alignment: thpSize(),
        shared: false,
        noReserve: true,
        access: 'read-write',
      });
    } catch (cause) {
      const message = `cannot reserve ${formatSize(size)} of address space: ${messageOf(cause)}`;
      throw new HostError('MAP_FAILED', message, { cause });
    }
  }

  discard(offset: number, length: number): void | Promise<void> {
    if (length <= INLINE_DISCARD_LIMIT) {
      this.mapping.advise(offset, length, MADV_DONTNEED);
      return;
    }
    return this.mapping.adviseAsync(offset, length, MADV_DONTNEED);
  }

  populate(offset: number, length: number): Promise<void> {
    return this.mapping.adviseAsync(offset, length, MADV_POPULATE_WRITE);
  }

  close(): void {
    this.mapping.close();
  }
}
