import type { NativeMapping } from '../../kvm/addon.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { formatSize } from '../../units.ts';
import type { Backing } from '../backing.ts';
import type { Discarder } from './discarder.ts';

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
  /** Has the host set memory aside; absent where it cannot run out under the guest. */
  readonly secure?: ((offset: number, length: number) => Promise<void>) | undefined;
  /** Calls back when memory may be gone. */
  readonly watch?: (callback: () => void) => void;
  /** Why the host does not give memory now. */
  readonly trouble: () => string | undefined;
  /** Gives back what is not the mapping. */
  readonly release: () => void;
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

  async populate(offset: number, length: number): Promise<void> {
    const { mapping, threads, populateCanFail } = this.#parts;
    if (populateCanFail) await this.#allocate(length, mapping.populate(offset, length, threads));
  }

  secure(offset: number, length: number): Promise<void> | undefined {
    const { secure } = this.#parts;
    return secure && this.#allocate(length, secure(offset, length));
  }

  onLoss(callback: () => void): void {
    this.#parts.watch?.(callback);
  }

  startEmpty(): void {
    const { id, cannotDiscard, discarder } = this.#parts;
    if (cannotDiscard !== undefined) {
      throw new ConfigError('BAD_BACKEND', `memory backend ${id}: ${cannotDiscard}`);
    }
    try {
      // Also where nothing is to be dropped: it shows whether the file system can.
      discarder.discardNow(0, this.size);
    } catch (cause) {
      const message = `memory backend ${id}: memory cannot be given back: ${messageOf(cause)}`;
      throw new ConfigError('BAD_BACKEND', message, { cause });
    }
  }

  trouble(): string | undefined {
    return this.#parts.trouble();
  }

  close(): void {
    this.#parts.mapping.close();
    this.#parts.release();
  }

  async #allocate(length: number, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (cause) {
      const why = this.trouble() ?? messageOf(cause);
      const message = `memory backend ${this.#parts.id}: cannot allocate ${formatSize(length)}: ${why}`;
      throw new HostError('NO_MEMORY', message, { cause });
    }
  }
}
