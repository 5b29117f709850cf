import { fstatSync } from 'node:fs';
import { addon, type NativeMapping } from '../../kvm/addon.ts';
import { alignUp, GIB } from '../../units.ts';
import { INLINE_DISCARD_LIMIT } from '../backing.ts';

/** How memory of one kind is taken away; see Backing for the meaning of each member. */
export interface Discarder {
  readonly frees: boolean;
  readonly discardMethod: string;
  discard(offset: number, length: number): void | Promise<void>;
  /** Tries, without changing anything, whether it can be taken away; nothing where it is not freed. */
  probe(): void;
  /**
   * Drops what there was before us.
   *
   * @param step  says before each step whether to go on, by throwing
   * @returns bytes that there were
   */
  empty(step: () => void): Promise<number>;
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
    this.#mapping.advise(offset, length, this.#advice);
  }

  /** Nothing is in it yet. */
  probe(): void {
    this.#mapping.advise(0, this.#mapping.size, this.#advice);
  }

  empty(): Promise<number> {
    return Promise.resolve(0);
  }

  clear(): void {
    // What was discarded, or never touched, reads zeros.
  }
}

/** Bytes of a file that are dropped in one step at least, and steps at most. */
const EMPTY_STEP = GIB;
const EMPTY_STEPS = 1024;
/** Of stat(2), whatever the file system's own blocks are. */
const STAT_BLOCK = 512;

/** FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE of fallocate(2). */
const PUNCH_HOLE = 3;

/** Memory of a file: a hole reads zeros. Behind a private mapping there are copies to drop, too. */
export class PunchDiscarder implements Discarder {
  readonly frees = true;
  readonly discardMethod: string;
  readonly #mapping: NativeMapping;
  readonly #fd: number;
  readonly #fileOffset: number;
  readonly #pageSize: number;
  readonly #share: boolean;

  constructor(
    mapping: NativeMapping,
    file: { readonly fd: number; readonly offset: number; readonly pageSize: number },
    share: boolean,
  ) {
    this.#mapping = mapping;
    this.#fd = file.fd;
    this.#fileOffset = file.offset;
    this.#pageSize = file.pageSize;
    this.#share = share;
    this.discardMethod = share ? 'punch hole' : 'punch hole, MADV_DONTNEED';
  }

  discard(offset: number, length: number): void | Promise<void> {
    if (length > INLINE_DISCARD_LIMIT) return this.#discardLater(offset, length);
    addon.fallocate(this.#fd, PUNCH_HOLE, this.#fileOffset + offset, length);
    if (!this.#share) this.#mapping.advise(offset, length, MADV_DONTNEED);
  }

  /** Behind the end of a file there is nothing to lose, but whoever cannot make holes says so. */
  probe(): void {
    const end = alignUp(fstatSync(this.#fd).size, this.#pageSize);
    addon.fallocate(this.#fd, PUNCH_HOLE, end, this.#pageSize);
    if (!this.#share) this.#mapping.advise(0, this.#mapping.size, MADV_DONTNEED);
  }

  async empty(step: () => void): Promise<number> {
    const { size } = this.#mapping;
    const before = fstatSync(this.#fd).blocks;
    if (before === 0) return 0;
    const length = Math.max(EMPTY_STEP, alignUp(Math.ceil(size / EMPTY_STEPS), EMPTY_STEP));
    for (let at = 0; at < size; at += length) {
      step();
      await this.#discardLater(at, Math.min(length, size - at));
    }
    return Math.max(0, before - fstatSync(this.#fd).blocks) * STAT_BLOCK;
  }

  clear(): void {
    // A hole reads zeros, and startEmpty() made holes of everything.
  }

  async #discardLater(offset: number, length: number): Promise<void> {
    await addon.fallocateAsync(this.#fd, PUNCH_HOLE, this.#fileOffset + offset, length);
    if (!this.#share) await this.#mapping.adviseAsync(offset, length, MADV_DONTNEED);
  }
}
