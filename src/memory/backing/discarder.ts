import { addon, type NativeMapping } from '../../kvm/addon.ts';
import { INLINE_DISCARD_LIMIT } from '../backing.ts';

/** How memory of one kind is taken away; see Backing for the meaning of each member. */
export interface Discarder {
  readonly frees: boolean;
  readonly discardMethod: string;
  discard(offset: number, length: number): void | Promise<void>;
  /** The same on this thread, however long it takes; nothing where memory is not freed. */
  discardNow(offset: number, length: number): void;
  clear(offset: number, length: number): void | Promise<void>;
}

/** madvise(2). */
const MADV_DONTNEED = 4;
const MADV_REMOVE = 9;

/** Anonymous memory: dropped where it is private, removed from its object where it is shared. */
export class AdviceDiscarder implements Discarder {
  readonly frees = true;
  readonly discardMethod: string;
  readonly #mapping: NativeMapping;
  readonly #advice: number;

  constructor(mapping: NativeMapping, share: boolean) {
    this.#mapping = mapping;
    this.#advice = share ? MADV_REMOVE : MADV_DONTNEED;
    this.discardMethod = share ? 'MADV_REMOVE' : 'MADV_DONTNEED';
  }

  discard(offset: number, length: number): void | Promise<void> {
    if (length > INLINE_DISCARD_LIMIT) {
      return this.#mapping.adviseAsync(offset, length, this.#advice);
    }
    this.discardNow(offset, length);
  }

  discardNow(offset: number, length: number): void {
    this.#mapping.advise(offset, length, this.#advice);
  }

  clear(): void {
    // What was discarded, or never touched, reads zeros.
  }
}

/** FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE of fallocate(2). */
const PUNCH_HOLE = 3;

/** Memory of a file: a hole reads zeros. Behind a private mapping there are copies to drop, too. */
export class PunchDiscarder implements Discarder {
  readonly frees = true;
  readonly discardMethod: string;
  readonly #mapping: NativeMapping;
  readonly #fd: number;
  readonly #fileOffset: number;
  readonly #share: boolean;

  constructor(mapping: NativeMapping, fd: number, fileOffset: number, share: boolean) {
    this.#mapping = mapping;
    this.#fd = fd;
    this.#fileOffset = fileOffset;
    this.#share = share;
    this.discardMethod = share ? 'punch hole' : 'punch hole, MADV_DONTNEED';
  }

  discard(offset: number, length: number): void | Promise<void> {
    if (length > INLINE_DISCARD_LIMIT) return this.#discardLater(offset, length);
    this.discardNow(offset, length);
  }

  discardNow(offset: number, length: number): void {
    addon.fallocate(this.#fd, PUNCH_HOLE, this.#fileOffset + offset, length);
    if (!this.#share) this.#mapping.advise(offset, length, MADV_DONTNEED);
  }

  clear(): void {
    // A hole reads zeros, and startEmpty() made holes of everything.
  }

  async #discardLater(offset: number, length: number): Promise<void> {
    await addon.fallocateAsync(this.#fd, PUNCH_HOLE, this.#fileOffset + offset, length);
    if (!this.#share) await this.#mapping.adviseAsync(offset, length, MADV_DONTNEED);
  }
}
