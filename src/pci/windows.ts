import { ConfigError } from '../errors.ts';
import { alignUp, hex, PAGE_SIZE } from '../units.ts';
import type { BarKind } from './bar-options.ts';

/** Addresses that the host bridge passes on to its functions. */
export interface PciWindow {
  readonly base: number;
  /** Bytes or ports. */
  readonly size: number;
}

/** What `_CRS` of the host bridge tells the guest. */
export interface PciWindows {
  readonly io: PciWindow;
  /** Below 4 GiB. */
  readonly memory32: PciWindow;
  /** For 64-bit BARs that do not fit below. */
  readonly memory64?: PciWindow;
}

/** Whether a BAR may be decoded there. */
export function isInWindow(
  windows: PciWindows,
  kind: BarKind,
  base: number,
  size: number,
): boolean {
  const holds = (window: PciWindow | undefined): boolean =>
    window !== undefined && base >= window.base && base + size <= window.base + window.size;
  return kind === 'io' ? holds(windows.io) : holds(windows.memory32) || holds(windows.memory64);
}

/** Hands out initial BAR addresses, as firmware would. */
export class WindowAllocator {
  readonly #windows: PciWindows;
  readonly #next = new Map<PciWindow, number>();

  constructor(windows: PciWindows) {
    this.#windows = windows;
  }

  /**
   * @param who  for the message
   * @throws ConfigError when no window has room
   */
  allocate(who: string, kind: BarKind, size: number): number {
    const { io, memory32, memory64 } = this.#windows;
    // Memory BARs get whole pages, so that no two share one.
    const alignment = kind === 'io' ? size : Math.max(size, PAGE_SIZE);
    for (const window of kind === 'io' ? [io] : [memory32, memory64]) {
      if (window === undefined || (window === memory64 && kind !== 'memory64')) continue;
      const base = alignUp(this.#next.get(window) ?? window.base, alignment);
      if (base + size > window.base + window.size) continue;
      this.#next.set(window, base + size);
      return base;
    }
    throw new ConfigError(
      'PCI_WINDOW_FULL',
      `${who}: no window has ${hex(size)} free for ${kind === 'io' ? 'an' : 'a'} ${kind} BAR`,
    );
  }
}
