import { ConfigError } from '../errors.ts';
import type { IoHandler, IoRange, IoSpace } from '../bus/io-space.ts';
import { hex, isPowerOfTwo } from '../units.ts';
import type { BarOptions, BarRegion } from './bar-options.ts';
import type { ConfigSpace } from './config-space.ts';
import { PCI_BASE_ADDRESS_0 } from './registers.ts';

const TWO_32 = 2 ** 32;
/** Type bits (PCI 3.0 §6.2.5.1). */
const BAR_IO = 0x1;
const BAR_64BIT = 0x4;
const BAR_PREFETCH = 0x8;

/** What a decoded BAR answers between its regions. */
const HOLE: IoHandler = { read: () => 0, write: () => undefined };

const SIZE_RANGE = {
  io: [4, 256],
  memory32: [16, 2 ** 31],
  memory64: [16, 2 ** 40],
} as const;

function check(name: string, { index, kind, size, regions }: BarOptions): void {
  const refuse = (why: string): never => {
    throw new ConfigError('PCI_BAD_BAR', `${name}: BAR ${index}: ${why}`);
  };
  const [smallest, largest] = SIZE_RANGE[kind];
  const last = kind === 'memory64' ? 4 : 5;
  if (!Number.isInteger(index) || index < 0 || index > last) refuse(`an index ends at ${last}`);
  if (!isPowerOfTwo(size) || size < smallest || size > largest) {
    refuse(`size ${hex(size)} is not a power of two from ${smallest} to ${hex(largest)}`);
  }
  let end = 0;
  for (const region of regions) {
    if (region.offset < end || region.size <= 0 || region.offset + region.size > size) {
      refuse(`region ${region.name} at ${hex(region.offset)} overlaps or leaves the BAR`);
    }
    end = region.offset + region.size;
  }
}

/** The regions, and the holes between them as regions too, so that a BAR owns all of itself. */
function withHoles(regions: readonly BarRegion[], size: number): readonly BarRegion[] {
  const whole: BarRegion[] = [];
  let end = 0;
  const fill = (to: number): void => {
    if (to > end) whole.push({ name: 'unused', offset: end, size: to - end, handler: HOLE });
  };
  for (const region of regions) {
    fill(region.offset);
    whole.push(region);
    end = region.offset + region.size;
  }
  fill(size);
  return whole;
}

/** One BAR: its register, its regions, and whether they are decoded. */
export class Bar {
  readonly index: number;
  readonly kind: BarOptions['kind'];
  readonly prefetchable: boolean;
  readonly size: number;
  /** A placement of this BAR was complained about already. */
  complained = false;
  readonly #name: string;
  readonly #regions: readonly BarRegion[];
  readonly #config: ConfigSpace;
  #ranges: IoRange[] = [];
  #base: number | undefined;

  /** @throws ConfigError for options that no BAR can have */
  constructor(name: string, config: ConfigSpace, options: BarOptions) {
    const regions = [...options.regions].sort((a, b) => a.offset - b.offset);
    check(name, { ...options, regions });
    this.index = options.index;
    this.kind = options.kind;
    this.prefetchable = options.prefetchable ?? false;
    this.size = options.size;
    this.#name = name;
    this.#config = config;
    this.#regions = withHoles(regions, options.size);
    this.#defineRegister();
  }

  /** Offset of the register in config space. */
  get register(): number {
    return PCI_BASE_ADDRESS_0 + 4 * this.index;
  }

  /** Where it is decoded now. */
  get base(): number | undefined {
    return this.#base;
  }

  /** What the register says. */
  get address(): number {
    const { view } = this.#config;
    const low = view.getUint32(this.register, true);
    if (this.kind === 'io') return low - (low % 4);
    const high = this.kind === 'memory64' ? view.getUint32(this.register + 4, true) : 0;
    return high * TWO_32 + low - (low % 16);
  }

  set address(address: number) {
    const { view } = this.#config;
    view.setUint32(this.register, (address % TWO_32) + this.#typeBits(), true);
    if (this.kind === 'memory64') {
      view.setUint32(this.register + 4, Math.floor(address / TWO_32), true);
    }
  }

  /** Whether the register holds what sizing writes: every bit that can be set. */
  get isBeingSized(): boolean {
    const { view, writable } = this.#config;
    const full = writable.getUint32(this.register, true);
    return (view.getUint32(this.register, true) & full) >>> 0 === full;
  }

  /** Decodes the BAR at a free place. @throws HostError with nothing decoded */
  map(space: IoSpace, base: number): void {
    try {
      for (const region of this.#regions) this.#mapRegion(space, base, region);
    } catch (error) {
      this.unmap();
      throw error;
    }
    this.#base = base;
  }

  /** Idempotent. */
  unmap(): void {
    if (this.#ranges.length === 0) return;
    for (const range of this.#ranges) range.remove();
    this.#ranges = [];
    this.#base = undefined;
    for (const region of this.#regions) {
      if (region.read === 'shadow') region.onShadow?.(undefined);
    }
  }

  /** The region that an access falls into, wholly. */
  regionAt(offset: number, size: number): BarRegion | undefined {
    for (const region of this.#regions) {
      const at = offset - region.offset;
      if (at >= 0 && at + size <= region.size) return region;
    }
    return undefined;
  }

  #mapRegion(space: IoSpace, base: number, region: BarRegion): void {
    const range = space.add({
      name: `${this.#name} ${region.name}`,
      base: base + region.offset,
      size: region.size,
      handler: region.handler,
      read: region.read ?? 'sync',
      write: region.write ?? 'sync',
    });
    this.#ranges.push(range);
    if (region.read === 'shadow') region.onShadow?.(range.shadow);
  }

  #typeBits(): number {
    if (this.kind === 'io') return BAR_IO;
    return (this.kind === 'memory64' ? BAR_64BIT : 0) + (this.prefetchable ? BAR_PREFETCH : 0);
  }

  /** Address bits below the size are hard-wired to 0: that is how a driver finds the size. */
  #defineRegister(): void {
    const { writable } = this.#config;
    const low = this.size < TWO_32 ? TWO_32 - this.size : 0;
    writable.setUint32(this.register, low, true);
    if (this.kind === 'memory64') {
      writable.setUint32(this.register + 4, TWO_32 - Math.max(1, this.size / TWO_32), true);
    }
    this.address = 0;
  }
}
