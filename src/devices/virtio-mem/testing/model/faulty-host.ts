import { openBacking } from '../../../../memory/backing/open.ts';
import { plainSpec } from '../../../../memory/backing/spec.ts';
import { INLINE_DISCARD_LIMIT, type Backing } from '../../../../memory/backing.ts';
import type { MemslotHost } from '../../../../memory/memslot-table.ts';
import type { Faults } from './faults.ts';
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

/** Memory of the host's own, which it refuses to hand out or take back when it is told to. */
export class FaultyMemory {
  /** What a device is given. */
  readonly backing: Backing;
  /** By block: whether the kernel was told that this process may touch it. */
  readonly accessible: boolean[];
  readonly #inner: Backing;
  readonly #blockSize: number;

  constructor(shape: Shape, faults: Faults) {
    const size = shape.blocks * shape.blockSize;
    const plain = plainSpec('model', size);
    this.#inner = openBacking(
      shape.memory === 'memfd'
        ? { ...plain, type: 'memfd', share: true, seal: true, hugePageSize: 0 }
        : { ...plain, share: shape.memory === 'shared' },
    );
    this.#blockSize = shape.blockSize;
    this.accessible = Array.from({ length: shape.blocks }, () => true);
    const secures = shape.memory === 'memfd';
    this.backing = faultyBacking(this.#inner, faults, this.#mapping(faults), secures);
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
    const protect = (offset: number, length: number, access: 'none' | 'read' | 'read-write') => {
      mapping.protect(offset, length, access);
      const first = Math.ceil(offset / this.#blockSize);
      const end = Math.floor((offset + length) / this.#blockSize);
      this.accessible.fill(access !== 'none', first, Math.max(first, end));
    };
    return {
      size: mapping.size,
      faultOffset: undefined,
      view: (offset, length) => mapping.view(offset, length),
      read: (offset, target) => mapping.read(offset, target),
      write: (offset, source) => mapping.write(offset, source),
      protect: (offset, length, access) => {
        const half = Math.floor(length / this.#blockSize / 2) * this.#blockSize;
        faults.meet('protect', () => {
          if (half > 0) protect(offset, half, access);
        });
        protect(offset, length, access);
      },
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

function faultyBacking(
  inner: Backing,
  faults: Faults,
  mapping: NativeMapping,
  secures: boolean,
): Backing {
  const { size, pageSize, sharedZeropage, frees, discardMethod, populateCanFail } = inner;
  const discardLater = async (offset: number, length: number): Promise<void> => {
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
  };
  return {
    ...{ size, pageSize, sharedZeropage, frees, discardMethod, populateCanFail, mapping },
    discard: (offset, length) => {
      if (length > INLINE_DISCARD_LIMIT) return discardLater(offset, length);
      faults.meet('discard', () => void inner.discard(offset, halfOf(length)));
      return inner.discard(offset, length);
    },
    clear: (offset, length) => inner.clear(offset, length),
    populate: async (offset, length) => {
      let done: unknown;
      try {
        faults.meet('populate', () => {
          done = inner.populate(offset, halfOf(length));
        });
      } finally {
        await done;
      }
      await inner.populate(offset, length);
    },
    startEmpty: () => inner.startEmpty(),
    secure: (offset, length) => {
      if (!secures) return inner.secure(offset, length);
      return Promise.resolve().then(() => faults.meet('secure'));
    },
    onLoss: (callback) => inner.onLoss(callback),
    trouble: () => inner.trouble(),
    close: () => inner.close(),
  };
}
