import type { NativeMapping } from '../kvm/addon.ts';
import { ConfigError } from '../errors.ts';
import { hex, MIB } from '../units.ts';
import type { DiscardManager } from './discard-manager.ts';
import { MemoryHolds } from './memory-holds.ts';

/** What a device or a loader sees of guest memory. Every access is bounds-checked. */
export interface GuestMemoryAccess {
  /** Whether every byte is RAM or plugged device memory. */
  isUsable(gpa: number, length: number): boolean;
  /** Whether every byte is boot RAM, which is never taken away. */
  isRam(gpa: number, length: number): boolean;
  /**
   * A view that stays valid as long as the range stays usable: where `isRam` is false, check
   * `generation` before each use.
   * @returns undefined when the range is not usable, or in more than one region
   */
  view(gpa: number, length: number): DataView | undefined;
  /** Copies out. @returns false, with nothing copied, when the range is not usable */
  read(gpa: number, target: Uint8Array, length: number): boolean;
  /** Copies in. @returns false, with nothing written, when the range is not usable */
  write(gpa: number, source: Uint8Array, length: number): boolean;
  /** Changes whenever memory is taken from the guest: what was checked before must be checked again. */
  readonly generation: number;
}

export interface MemoryRegion {
  /** For `info mtree`. */
  readonly name: string;
  readonly gpa: number;
  /** Bytes. */
  readonly size: number;
  readonly mapping: NativeMapping;
  /** Bytes into the mapping. */
  readonly offset: number;
  /** Absent for RAM: all of it holds memory. */
  readonly discards?: DiscardManager;
}

/** A part of a range. */
interface Piece {
  readonly gpa: number;
  /** Bytes into the range. */
  readonly offset: number;
  readonly length: number;
}

const within = (bytes: Uint8Array, { offset, length }: Piece): Uint8Array =>
  bytes.subarray(offset, offset + length);

/** Up to here JavaScript copies byte by byte: cheaper than a call into the addon. */
const SMALL_COPY = 64;
/** JavaScript sees memory in windows of this size, made when they are first used. */
const WINDOW_SIZE = MIB;
/** Windows kept at most: a guest that names many addresses must not fill our memory. */
const WINDOW_LIMIT = 256;

/**
 * Guest memory by guest-physical address. It holds what it was given and owns no mapping.
 * A range may cross from one region into the next, as where boot memory of two nodes meets: such
 * ranges are rare, and served piece by piece.
 */
export class GuestMemory implements GuestMemoryAccess {
  /** Whoever reads memory over several turns of the event loop takes one. */
  readonly holds = new MemoryHolds();
  #regions: readonly MemoryRegion[] = [];
  readonly #windows = new Map<number, Uint8Array>();
  #lastKey = -1;
  #lastWindow: Uint8Array = new Uint8Array(0);
  #generation = 0;

  get generation(): number {
    return this.#generation;
  }

  /** By address. */
  get regions(): readonly MemoryRegion[] {
    return this.#regions;
  }

  /** @throws ConfigError when it overlaps another region */
  add(region: MemoryRegion): void {
    const end = region.gpa + region.size;
    const other = this.#regions.find((it) => region.gpa < it.gpa + it.size && it.gpa < end);
    if (other !== undefined) {
      const message = `${region.name} at ${hex(region.gpa)} to ${hex(end)} overlaps ${other.name} at ${hex(other.gpa)}`;
      throw new ConfigError('MEMORY_OVERLAP', message);
    }
    this.#regions = [...this.#regions, region].sort((a, b) => a.gpa - b.gpa);
    region.discards?.register({
      onPopulate: () => undefined,
      onDiscard: () => {
        this.#generation += 1;
      },
    });
  }

  isUsable(gpa: number, length: number): boolean {
    return this.#find(gpa, length) !== undefined || this.#pieces(gpa, length) !== undefined;
  }

  isRam(gpa: number, length: number): boolean {
    const region = this.#find(gpa, length);
    if (region !== undefined) return region.discards === undefined;
    const pieces = this.#pieces(gpa, length);
    return pieces?.every((piece) => this.isRam(piece.gpa, piece.length)) === true;
  }

  view(gpa: number, length: number): DataView | undefined {
    const region = this.#find(gpa, length);
    if (region === undefined) return undefined;
    const start = region.offset + (gpa - region.gpa);
    return new DataView(region.mapping.view(start, length));
  }

  read(gpa: number, target: Uint8Array, length: number): boolean {
    const region = this.#find(gpa, length);
    if (target.length < length) return false;
    if (region === undefined) {
      const pieces = this.#pieces(gpa, length);
      return pieces?.every((it) => this.read(it.gpa, within(target, it), it.length)) === true;
    }
    if (length <= SMALL_COPY) {
      const from = gpa % WINDOW_SIZE;
      const window = this.#windowFor(region, gpa, from + length);
      if (window !== undefined) {
        for (let i = 0; i < length; i++) target[i] = window[from + i] ?? 0;
        return true;
      }
    }
    region.mapping.read(
      region.offset + (gpa - region.gpa),
      target.length === length ? target : target.subarray(0, length),
    );
    return true;
  }

  write(gpa: number, source: Uint8Array, length: number): boolean {
    const region = this.#find(gpa, length);
    if (source.length < length) return false;
    if (region === undefined) {
      const pieces = this.#pieces(gpa, length);
      return pieces?.every((it) => this.write(it.gpa, within(source, it), it.length)) === true;
    }
    if (length <= SMALL_COPY) {
      const to = gpa % WINDOW_SIZE;
      const window = this.#windowFor(region, gpa, to + length);
      if (window !== undefined) {
        for (let i = 0; i < length; i++) window[to + i] = source[i] ?? 0;
        return true;
      }
    }
    region.mapping.write(
      region.offset + (gpa - region.gpa),
      source.length === length ? source : source.subarray(0, length),
    );
    return true;
  }

  /** The region that holds all of a range, every byte of it usable. Guest numbers end up here. */
  #find(gpa: number, length: number): MemoryRegion | undefined {
    if (!Number.isSafeInteger(gpa) || !Number.isSafeInteger(length) || length < 0) return undefined;
    for (const region of this.#regions) {
      const from = gpa - region.gpa;
      if (from < 0) return undefined;
      if (from + length > region.size || from >= region.size) continue;
      if (region.discards === undefined || region.discards.isPopulated(from, length)) return region;
      return undefined;
    }
    return undefined;
  }

  /** A range cut where regions meet. @returns undefined when it is not usable, or in one region */
  #pieces(gpa: number, length: number): readonly Piece[] | undefined {
    const pieces: Piece[] = [];
    for (const region of this.#regions) {
      const offset = pieces.reduce((sum, piece) => sum + piece.length, 0);
      const at = gpa + offset;
      if (at < region.gpa || at >= region.gpa + region.size) continue;
      const count = Math.min(length - offset, region.gpa + region.size - at);
      if (this.#find(at, count) === undefined) return undefined;
      pieces.push({ gpa: at, offset, length: count });
      if (offset + count === length) return pieces.length > 1 ? pieces : undefined;
    }
    return undefined;
  }

  /** @returns undefined where the access leaves the window, or the window the region */
  #windowFor(region: MemoryRegion, gpa: number, end: number): Uint8Array | undefined {
    if (end > WINDOW_SIZE) return undefined;
    const base = gpa - (gpa % WINDOW_SIZE);
    if (base === this.#lastKey) return this.#lastWindow;
    if (base < region.gpa || base + WINDOW_SIZE > region.gpa + region.size) return undefined;
    let window = this.#windows.get(base);
    if (window === undefined) {
      if (this.#windows.size >= WINDOW_LIMIT) this.#windows.clear();
      const start = region.offset + (base - region.gpa);
      window = new Uint8Array(region.mapping.view(start, WINDOW_SIZE));
      this.#windows.set(base, window);
    }
    this.#lastKey = base;
    this.#lastWindow = window;
    return window;
  }
}
