import { INLINE_DISCARD_LIMIT, type Backing } from '../../../../memory/backing.ts';
import type { MemslotHost } from '../../../../memory/memslot-table.ts';
import { PAGE_SIZE } from '../../../../units.ts';
import type { Faults } from './faults.ts';
import { hostMemory } from './host-memory.ts';
import type { Shape } from './shape.ts';

type NativeMapping = Backing['mapping'];
type SetMemslot = Parameters<MemslotHost['setMemslot']>[0];

/** Memslots as KVM would have them, and as strict as KVM is. */
export class FaultySlots implements MemslotHost {
  readonly slots = new Map<number, { readonly gpa: number; readonly size: number }>();
  readonly #faults: Faults;

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  setMemslot({ slot, gpa, size }: SetMemslot): void {
    this.#faults.meet('set-memslot');
    const there = this.slots.get(slot);
    if (there?.gpa === gpa && there.size === size) return;
    const others = [...this.slots.values()];
    const overlaps = others.some((it) => gpa < it.gpa + it.size && it.gpa < gpa + size);
    if (overlaps || this.slots.has(slot)) throw new Error(`slot ${slot}: EEXIST`);
    this.slots.set(slot, { gpa, size });
  }

  deleteMemslot(slot: number): void {
    this.#faults.meet('delete-memslot');
    if (!this.slots.delete(slot)) throw new Error(`slot ${slot}: EINVAL`);
  }

  async deleteMemslots(slots: Uint32Array): Promise<void> {
    await Promise.resolve();
    this.#faults.meet('delete-memslots', () => {
      for (const slot of slots.subarray(0, slots.length >>> 1)) this.slots.delete(slot);
    });
    for (const slot of slots) {
      if (!this.slots.delete(slot)) throw new Error(`slot ${slot}: EINVAL`);
    }
  }
}

/** What nobody may see who gets the memory later. */
const STAIN = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);

/** Memory of the host's own, which it refuses to hand out or take back when it is told to. */
export class FaultyMemory {
  /** What a device is given. */
  readonly backing: Backing;
  /** By block: whether the kernel was told that this process may touch it. */
  readonly accessible: boolean[];
  readonly calls = new HostCalls();
  readonly #inner: Backing;
  readonly #shape: Shape;

  constructor(shape: Shape, faults: Faults) {
    this.#inner = hostMemory(shape, faults);
    this.#shape = shape;
    this.accessible = Array.from({ length: shape.blocks }, () => true);
    const { calls } = this;
    this.backing = new FaultyBacking({
      inner: this.#inner,
      mapping: this.#mapping(faults),
      faults,
      calls,
      reserveUnit: shape.memory === 'memfd' ? shape.blockSize : undefined,
    });
  }

  /** Calls that began while another was under way: none should. */
  get overlaps(): readonly string[] {
    return this.calls.overlaps;
  }

  /** Leaves something in each block of a range, where it will be looked for. */
  stain(offset: number, length: number): void {
    const { blockSize } = this.#shape;
    for (let at = offset; at < offset + length; at += blockSize) {
      this.mapping.write(at, STAIN);
      this.mapping.write(at + blockSize - STAIN.length, STAIN);
    }
  }

  /** The host's view, without faults. */
  get mapping(): NativeMapping {
    return this.#inner.mapping;
  }

  close(): void {
    this.#inner.close();
  }

  #mapping(faults: Faults): NativeMapping {
    const { mapping } = this.#inner;
    const { blockSize } = this.#shape;
    const protect = (offset: number, length: number, access: 'none' | 'read' | 'read-write') => {
      mapping.protect(offset, length, access);
      const first = Math.ceil(offset / blockSize);
      const end = Math.floor((offset + length) / blockSize);
      this.accessible.fill(access !== 'none', first, Math.max(first, end));
    };
    return {
      size: mapping.size,
      faultOffset: undefined,
      view: (offset, length) => mapping.view(offset, length),
      read: (offset, target) => mapping.read(offset, target),
      write: (offset, source) => mapping.write(offset, source),
      protect: (offset, length, access) => {
        this.calls.check('protect');
        const half = Math.floor(length / blockSize / 2) * blockSize;
        faults.meet('protect', () => {
          if (half > 0) protect(offset, half, access);
        });
        protect(offset, length, access);
      },
      showZeros: (offset, length) => mapping.showZeros(offset, length),
      hideZeros: (offset, length) => mapping.hideZeros(offset, length),
      advise: (offset, length, advice) => mapping.advise(offset, length, advice),
      adviseAsync: (offset, length, advice) => mapping.adviseAsync(offset, length, advice),
      residentBytes: (offset, length) => mapping.residentBytes(offset, length),
      populate: (offset, length, threads) => mapping.populate(offset, length, threads),
      zero: (offset, length) => mapping.zero(offset, length),
      setPolicy: (mode, flags, nodes) => mapping.setPolicy(mode, flags, nodes),
      watchFaults: (event) => mapping.watchFaults(event),
      close: () => mapping.close(),
    };
  }
}

/** Half of a range, in whole huge pages; a range that has no such half stays whole. */
const halfOf = (length: number): number => (length > 4096 ? length / 2 : length);

interface FaultyParts {
  readonly inner: Backing;
  readonly mapping: NativeMapping;
  readonly faults: Faults;
  readonly calls: HostCalls;
  /** Where memory is set aside first: bytes at which it is touched. */
  readonly reserveUnit: number | undefined;
}

class FaultyBacking implements Backing {
  readonly isCharged = false;
  readonly size: number;
  readonly pageSize: number;
  readonly sharedZeropage: boolean;
  readonly frees: boolean;
  readonly discardMethod: string;
  readonly populateCanFail: boolean;
  readonly mapping: NativeMapping;
  readonly #parts: FaultyParts;

  constructor(parts: FaultyParts) {
    const { inner } = parts;
    this.#parts = parts;
    this.size = inner.size;
    this.pageSize = inner.pageSize;
    this.sharedZeropage = inner.sharedZeropage;
    this.frees = inner.frees;
    this.discardMethod = inner.discardMethod;
    this.populateCanFail = inner.populateCanFail;
    this.mapping = parts.mapping;
  }

  discard(offset: number, length: number): void | Promise<void> {
    const { inner, faults, calls } = this.#parts;
    if (length > INLINE_DISCARD_LIMIT) {
      return calls.during('discard', () => this.#discardLater(offset, length));
    }
    return calls.during('discard', () => {
      faults.meet('discard', () => void inner.discard(offset, halfOf(length)));
      return inner.discard(offset, length);
    });
  }

  async #discardLater(offset: number, length: number): Promise<void> {
    const { inner, faults } = this.#parts;
    await Promise.resolve();
    let done: unknown;
    try {
      faults.meet('discard', () => {
        done = inner.discard(offset, halfOf(length));
      });
    } finally {
      await done;
    }
    await inner.discard(offset, length);
  }

  clear(offset: number, length: number): void | Promise<void> {
    const { inner, calls } = this.#parts;
    return calls.during('clear', () => inner.clear(offset, length));
  }

  populate(offset: number, length: number): Promise<void> {
    const { inner, faults, calls } = this.#parts;
    return calls.wait('populate', async () => {
      let done: unknown;
      try {
        faults.meet('populate', () => {
          done = inner.populate(offset, halfOf(length));
        });
      } finally {
        await done;
      }
      await inner.populate(offset, length);
    });
  }

  checkDiscards(): void {
    this.#parts.inner.checkDiscards();
  }

  startEmpty(): Promise<number> {
    return this.#parts.inner.startEmpty();
  }

  keep(): void {
    this.#parts.inner.keep();
  }

  secure(offset: number, length: number): Promise<void> | undefined {
    const { inner, faults, calls, reserveUnit } = this.#parts;
    if (reserveUnit === undefined) return inner.secure(offset, length);
    return calls.wait('secure', async () => {
      await Promise.resolve();
      faults.meet('secure', () => this.#touch(offset, length / 2));
      this.#touch(offset, length);
    });
  }

  /** Allocates the first page of each block of a range. */
  #touch(offset: number, length: number): void {
    const { inner, reserveUnit = PAGE_SIZE } = this.#parts;
    const byte = new Uint8Array(1);
    for (let at = offset; at < offset + length; at += reserveUnit) {
      inner.mapping.read(at, byte);
      inner.mapping.write(at, byte);
    }
  }

  onLoss(callback: () => void): void {
    this.#parts.inner.onLoss(callback);
  }

  trouble(): string | undefined {
    return this.#parts.inner.trouble();
  }

  close(): void {
    this.#parts.inner.close();
  }
}

/** What the host is asked to do with the memory of one device: one thing at a time. */
class HostCalls {
  readonly overlaps: string[] = [];
  #current: string | undefined;

  /** A call is made. */
  check(name: string): void {
    if (this.#current !== undefined) this.overlaps.push(`${name} during ${this.#current}`);
  }

  /** A call is made that may take time. */
  during(name: string, work: () => void | Promise<void>): void | Promise<void> {
    this.check(name);
    this.#current = name;
    try {
      const later = work();
      if (later !== undefined) return later.finally(() => this.#end());
    } catch (error) {
      this.#end();
      throw error;
    }
    this.#end();
  }

  /** A call is made that takes time. */
  async wait(name: string, work: () => Promise<void>): Promise<void> {
    await this.during(name, work);
  }

  #end(): void {
    this.#current = undefined;
  }
}
