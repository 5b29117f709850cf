import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import { hex } from '../units.ts';
import { VIRTQ_DESC_SIZE } from './spec.ts';

/** Where the driver put the three areas of a queue: guest-physical addresses. */
export interface RingAddresses {
  /** Descriptor area, a multiple of 16. */
  readonly descriptors: number;
  /** Driver area (avail ring), a multiple of 2. */
  readonly avail: number;
  /** Device area (used ring), a multiple of 4. */
  readonly used: number;
}

// The areas as arrays of u16 (avail: flags, idx, ring, used_event) and, for used elements, of u32
// (id and len, from the second element on).
const FLAGS = 0;
const IDX = 1;
const RING = 2;

/**
 * The three areas of a split virtqueue, as views on guest memory (virtio 1.3 §2.7).
 *
 * Index and flag fields go through Atomics: loads come before what follows them and stores after
 * what precedes them, and a store is a full barrier, as the two races of event suppression need.
 * Host and guest are little-endian (x86), so typed arrays serve.
 */
export class RingMemory {
  readonly #memory: GuestMemoryAccess;
  readonly #addresses: RingAddresses;
  readonly #size: number;
  /** All three areas in boot RAM, which is never taken away: no need to look again. */
  #fixed = false;
  #generation = -1;
  #descriptors: DataView = new DataView(new ArrayBuffer(0));
  #avail: Uint16Array = new Uint16Array(0);
  #used: Uint16Array = new Uint16Array(0);
  #usedElements: Uint32Array = new Uint32Array(0);

  /** Call `map` before anything else. @param size  entries: a power of two to 32768 */
  constructor(memory: GuestMemoryAccess, addresses: RingAddresses, size: number) {
    this.#memory = memory;
    this.#addresses = addresses;
    this.#size = size;
  }

  /** Maps the areas. @returns what is wrong with them, or undefined */
  map(): string | undefined {
    const { descriptors, avail, used } = this.#addresses;
    const size = this.#size;
    // §2.7, table of alignments and sizes; the event fields are there with or without EVENT_IDX.
    const areas = [
      { name: 'descriptor area', gpa: descriptors, bytes: VIRTQ_DESC_SIZE * size, alignment: 16 },
      { name: 'driver area', gpa: avail, bytes: 6 + 2 * size, alignment: 2 },
      { name: 'device area', gpa: used, bytes: 6 + 8 * size, alignment: 4 },
    ] as const;
    const views: DataView[] = [];
    let fixed = true;
    for (const { name, gpa, bytes, alignment } of areas) {
      if (gpa % alignment !== 0) return `${name} at ${hex(gpa)} is not aligned to ${alignment}`;
      const view = this.#memory.view(gpa, bytes);
      if (view === undefined) return `${name} at ${hex(gpa)}, ${bytes} bytes, is not all memory`;
      views.push(view);
      fixed &&= this.#memory.isRam(gpa, bytes);
    }
    const [descriptorView, availView, usedView] = views;
    if (descriptorView === undefined || availView === undefined || usedView === undefined) {
      return 'areas are missing';
    }
    this.#descriptors = descriptorView;
    this.#avail = halves(availView);
    this.#used = halves(usedView);
    this.#usedElements = new Uint32Array(usedView.buffer, usedView.byteOffset, 1 + 2 * size);
    this.#generation = this.#memory.generation;
    this.#fixed = fixed;
    return undefined;
  }

  /**
   * Makes sure that the areas are still memory, to be called before they are touched: a guest may
   * put a queue into memory that is unplugged later.
   * @returns what is wrong, or undefined
   */
  check(): string | undefined {
    if (this.#fixed || this.#memory.generation === this.#generation) return undefined;
    return this.map();
  }

  /** Whether some byte of the areas is in a range. */
  isIn(gpa: number, length: number): boolean {
    if (this.#fixed) return false;
    const { descriptors, avail, used } = this.#addresses;
    const areas = [
      [descriptors, this.#descriptors.byteLength],
      [avail, this.#avail.byteLength],
      [used, this.#used.byteLength],
    ] as const;
    return areas.some(([at, size]) => at < gpa + length && gpa < at + size);
  }

  get descriptors(): DataView {
    return this.#descriptors;
  }

  /** avail.idx. */
  get availIndex(): number {
    return Atomics.load(this.#avail, IDX);
  }

  /** avail.flags. */
  get availFlags(): number {
    return Atomics.load(this.#avail, FLAGS);
  }

  /** used_event: the used index at whose entry the driver wants to be told. */
  get usedEvent(): number {
    return Atomics.load(this.#avail, RING + this.#size);
  }

  /** The head in the avail ring's entry for `index` (0 to 65535). */
  availEntry(index: number): number {
    return this.#avail[RING + (index & (this.#size - 1))] ?? 0;
  }

  /** Looks `spins` times whether avail.idx differs from `index`. @returns whether it does */
  spinAvail(index: number, spins: number): boolean {
    const avail = this.#avail;
    for (let i = 0; i < spins; i++) {
      if (Atomics.load(avail, IDX) !== index) return true;
    }
    return false;
  }

  /** Fills the used ring's entry for `index`, then makes it visible. A full barrier follows. */
  publishUsed(index: number, head: number, writtenBytes: number): void {
    const at = 1 + 2 * (index & (this.#size - 1));
    this.#usedElements[at] = head;
    this.#usedElements[at + 1] = writtenBytes;
    Atomics.store(this.#used, IDX, (index + 1) & 0xffff);
  }

  /** used.flags; a full barrier. */
  set usedFlags(flags: number) {
    Atomics.store(this.#used, FLAGS, flags);
  }

  /** avail_event: the avail index at whose entry the device wants to be told. A full barrier. */
  set availEvent(index: number) {
    Atomics.store(this.#used, RING + 4 * this.#size, index);
  }
}

/** A view's alignment is that of its guest-physical address. */
function halves(view: DataView): Uint16Array {
  return new Uint16Array(view.buffer, view.byteOffset, view.byteLength / 2);
}
