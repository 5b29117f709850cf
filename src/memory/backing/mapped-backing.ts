import type { NativeMapping } from '../../kvm/addon.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { formatSize, MIB } from '../../units.ts';
import type { Backing } from '../backing.ts';
import type { Room } from '../cgroup.ts';
import type { Discarder } from './discarder.ts';

/** Bytes allocated between two looks at whether to go on, and what is left: some tens of milliseconds. */
const PIECE = 128 * MIB;

export interface BackingParts {
  /** For messages. */
  readonly id: string;
  readonly mapping: NativeMapping;
  readonly discarder: Discarder;
  /** Bytes. */
  readonly pageSize: number;
  readonly sharedZeropage: boolean;
  readonly populateCanFail: boolean;
  /** Threads that allocate. */
  readonly threads: number;
  /** Why it cannot be handed out in parts, where its kind rules that out. */
  readonly cannotDiscard?: string;
  /** Lets what was made or grown for it stay. */
  readonly keep?: (() => void) | undefined;
  /** Has the host set memory aside; absent where it cannot run out under the guest. */
  readonly secure?: ((offset: number, length: number) => Promise<void>) | undefined;
  /** Calls back when memory may be gone. */
  readonly watch?: (callback: () => void) => void;
  /** Whether memory cgroups count what is touched. */
  readonly isCharged?: boolean;
  /** What the host can still give of this kind of memory; absent: nobody limits it. */
  readonly room?: (() => Room | undefined) | undefined;
  /** Why the host does not give memory now. */
  readonly trouble: () => string | undefined;
  /** Gives back what is not the mapping. */
  readonly release: () => void;
}

/** Left to this process, and page tables: 8 bytes for each page of 4 KiB. */
const LEFT_BYTES = 16 * MIB;

class NoRoom extends Error {}

function lacksNothing(room: Room, bytes: number): boolean {
  return bytes <= 0 || bytes + (room.reserve ? LEFT_BYTES + bytes / 512 : 0) <= room.bytes;
}

/** Mapped host memory of any kind. */
export class MappedBacking implements Backing {
  readonly #parts: BackingParts;

  constructor(parts: BackingParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#parts.mapping.size;
  }

  get pageSize(): number {
    return this.#parts.pageSize;
  }

  get isCharged(): boolean {
    return this.#parts.isCharged === true;
  }

  get sharedZeropage(): boolean {
    return this.#parts.sharedZeropage;
  }

  get populateCanFail(): boolean {
    return this.#parts.populateCanFail;
  }

  get frees(): boolean {
    return this.#parts.discarder.frees;
  }

  get discardMethod(): string {
    return this.#parts.discarder.discardMethod;
  }

  get mapping(): NativeMapping {
    return this.#parts.mapping;
  }

  discard(offset: number, length: number): void | Promise<void> {
    return this.#parts.discarder.discard(offset, length);
  }

  clear(offset: number, length: number): void | Promise<void> {
    return this.#parts.discarder.clear(offset, length);
  }

  async populate(offset: number, length: number, signal?: AbortSignal): Promise<void> {
    const { mapping, threads, populateCanFail } = this.#parts;
    if (!populateCanFail) return;
    await this.#allocate(offset, length, signal, (at, size) => mapping.populate(at, size, threads));
  }

  secure(offset: number, length: number, signal?: AbortSignal): Promise<void> | undefined {
    const { secure } = this.#parts;
    return secure && this.#allocate(offset, length, signal, secure);
  }

  onLoss(callback: () => void): void {
    this.#parts.watch?.(callback);
  }

  checkDiscards(): void {
    const { id, cannotDiscard, discarder } = this.#parts;
    if (cannotDiscard !== undefined) {
      throw new ConfigError('BAD_BACKEND', `memory backend ${id}: ${cannotDiscard}`);
    }
    try {
      discarder.probe();
    } catch (cause) {
      throw new ConfigError('BAD_BACKEND', this.#cannotGiveBack(cause), { cause });
    }
  }

  async startEmpty(signal?: AbortSignal): Promise<number> {
    try {
      return await this.#parts.discarder.empty(() => signal?.throwIfAborted());
    } catch (cause) {
      signal?.throwIfAborted();
      throw new HostError('DISCARD_FAILED', this.#cannotGiveBack(cause), { cause });
    }
  }

  keep(): void {
    this.#parts.keep?.();
  }

  #cannotGiveBack(cause: unknown): string {
    return `memory backend ${this.#parts.id}: memory cannot be given back: ${messageOf(cause)}`;
  }

  trouble(): string | undefined {
    return this.#parts.trouble();
  }

  close(): void {
    this.#parts.mapping.close();
    this.#parts.release();
  }

  /**
   * In pieces, and before each a look whether the host can still give it: beyond a limit the kernel
   * refuses nothing, it ends processes. Others may take memory at the same time.
   *
   * @param signal  gives it up between two pieces
   */
  async #allocate(
    offset: number,
    length: number,
    signal: AbortSignal | undefined,
    work: (offset: number, length: number) => Promise<void>,
  ): Promise<void> {
    const end = offset + length;
    const piece = Math.max(PIECE, this.pageSize);
    try {
      signal?.throwIfAborted();
      await this.#checkRoom(offset, length);
      for (let at = offset; at < end; at += piece) {
        signal?.throwIfAborted();
        const size = Math.min(piece, end - at);
        if (at > offset) await this.#checkRoom(at, size);
        await work(at, size);
      }
    } catch (cause) {
      signal?.throwIfAborted();
      const why = cause instanceof NoRoom ? cause.message : (this.trouble() ?? messageOf(cause));
      const message = `memory backend ${this.#parts.id}: cannot allocate ${formatSize(length)}: ${why}`;
      throw new HostError('NO_MEMORY', message, { cause });
    }
  }

  /** @throws NoRoom when the host cannot give what the range still lacks */
  async #checkRoom(offset: number, length: number): Promise<void> {
    const { room, mapping } = this.#parts;
    const there = room?.();
    if (there === undefined || lacksNothing(there, length)) return;
    const lacking = length - (await mapping.residentBytes(offset, length));
    if (lacksNothing(there, lacking)) return;
    throw new NoRoom(`${there.who}, and ${formatSize(there.bytes)} of that are left`);
  }
}
