import { ConfigError } from '../errors.ts';
import type { IoSpace } from '../bus/io-space.ts';
import { log } from '../log.ts';
import { hex } from '../units.ts';
import { Bar } from './bar.ts';
import type { BarOptions } from './bar-options.ts';
import type { ConfigSpace } from './config-space.ts';
import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_IO,
  PCI_COMMAND_MEMORY,
} from './registers.ts';
import { isInWindow, type PciWindows, type WindowAllocator } from './windows.ts';

const logger = log('pci');
const BARS_END = PCI_BASE_ADDRESS_0 + 6 * 4;

/** Where BARs are decoded. */
export interface BarHost {
  readonly ports: IoSpace;
  readonly mmio: IoSpace;
  readonly windows: PciWindows;
  /** Addresses became free: a BAR that collided may be decoded now. */
  released(): void;
}

/**
 * A function's BARs, decoded where their registers say as long as the command register allows it,
 * the place lies in a window and nobody else is there. First come, first served: a BAR that
 * collides waits until the place is free.
 */
export class BarSet {
  readonly bars: readonly Bar[];
  readonly #name: string;
  readonly #config: ConfigSpace;
  readonly #mapped: (index: number, base: number | undefined) => void;
  #host: BarHost | undefined;

  /**
   * @param mapped  told of each BAR that is decoded elsewhere from now on, or no longer
   * @throws ConfigError when two BARs claim one register
   */
  constructor(
    name: string,
    config: ConfigSpace,
    options: readonly BarOptions[],
    mapped: (index: number, base: number | undefined) => void,
  ) {
    const taken = new Set<number>();
    for (const { index, kind } of options) {
      for (const register of kind === 'memory64' ? [index, index + 1] : [index]) {
        if (taken.has(register)) {
          throw new ConfigError('PCI_BAD_BAR', `${name}: two BARs claim register ${register}`);
        }
        taken.add(register);
      }
    }
    this.bars = options.map((bar) => new Bar(name, config, bar));
    this.#name = name;
    this.#config = config;
    this.#mapped = mapped;
  }

  /** Gives each BAR its initial address. @throws ConfigError when a window is full */
  assign(allocator: WindowAllocator): void {
    for (const bar of this.bars) {
      bar.address = allocator.allocate(`${this.#name}: BAR ${bar.index}`, bar.kind, bar.size);
    }
  }

  attach(host: BarHost): void {
    this.#host = host;
    this.update();
  }

  byIndex(index: number): Bar | undefined {
    return this.bars.find((bar) => bar.index === index);
  }

  /** Whether a write to config space touches the command register or a BAR. */
  isAffectedBy(register: number, size: number): boolean {
    const touches = (from: number, to: number): boolean => register < to && register + size > from;
    return touches(PCI_COMMAND, PCI_COMMAND + 2) || touches(PCI_BASE_ADDRESS_0, BARS_END);
  }

  /** Decodes what the registers say. */
  update(): void {
    let released = false;
    for (const bar of this.bars) {
      if (bar.base === undefined || bar.base === this.#wantedBase(bar)) continue;
      this.#unmap(bar);
      released = true;
    }
    this.mapWaiting();
    if (released) this.#host?.released();
  }

  /** Decodes what can be decoded by now. */
  mapWaiting(): void {
    for (const bar of this.bars) {
      if (bar.base === undefined) this.#map(bar);
    }
  }

  /** Decodes nothing until the next update. */
  unmapAll(): void {
    for (const bar of this.bars) {
      if (bar.base !== undefined) this.#unmap(bar);
    }
  }

  #unmap(bar: Bar): void {
    bar.unmap();
    this.#mapped(bar.index, undefined);
  }

  #map(bar: Bar): void {
    const host = this.#host;
    const base = this.#wantedBase(bar);
    if (host === undefined || base === undefined) return;
    const space = bar.kind === 'io' ? host.ports : host.mmio;
    if (!space.isFree(base, bar.size)) {
      this.#complain(bar, 'collides with another range');
      return;
    }
    bar.map(space, base);
    this.#mapped(bar.index, base);
  }

  #wantedBase(bar: Bar): number | undefined {
    const enable = bar.kind === 'io' ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    const command = this.#config.view.getUint16(PCI_COMMAND, true);
    if (this.#host === undefined || (command & enable) === 0) return undefined;
    const base = bar.address;
    if (isInWindow(this.#host.windows, bar.kind, base, bar.size)) return base;
    if (!bar.isBeingSized) this.#complain(bar, 'lies outside the windows of the host bridge');
    return undefined;
  }

  /** Once per BAR: the guest can do this all day. */
  #complain(bar: Bar, why: string): void {
    if (bar.complained) return;
    bar.complained = true;
    const guest = { bar: bar.index, address: hex(bar.address), size: bar.size };
    logger.warn({ guest }, `${this.#name}: BAR ${bar.index} is not decoded: it ${why}`);
  }
}
