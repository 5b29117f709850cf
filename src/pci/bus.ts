import { allOnes } from '../bytes.ts';
import { ConfigError } from '../errors.ts';
import type { InterruptController } from '../bus/interrupt.ts';
import type { IoSpace } from '../bus/io-space.ts';
import type { PciFunction, PciFunctionHost } from './function.ts';
import { SharedLine } from './intx.ts';
import { WindowAllocator, type PciWindows } from './windows.ts';

/** Where a function sits: PCI bus 0 is the only one. */
export interface PciAddress {
  readonly bus: 0;
  /** Device number, 0 to 31. */
  readonly slot: number;
  /** 0 to 7. */
  readonly fn: number;
}

export interface PlacedFunction extends PciAddress {
  readonly function: PciFunction;
}

export interface PciBusOptions {
  readonly ports: IoSpace;
  readonly mmio: IoSpace;
  readonly interrupts: InterruptController;
  readonly windows: PciWindows;
  /** Where the wires lead, as `_PRT` tells the guest; `pin` is 1 to 4 for INTA to INTD. */
  readonly intxGsi: (slot: number, pin: number) => number;
}

export const SLOTS = 32;
const FUNCTIONS = 8;

/** `00:1f.0`. */
export function formatPciAddress({ slot, fn }: PciAddress): string {
  return `00:${slot.toString(16).padStart(2, '0')}.${fn}`;
}

/** Bus 0: its functions, the wires they share and the addresses they compete for. */
export class PciBus {
  readonly #options: PciBusOptions;
  readonly #allocator: WindowAllocator;
  /** Indexed by slot * 8 + function number. */
  readonly #functions = new Array<PciFunction | undefined>(SLOTS * FUNCTIONS).fill(undefined);
  readonly #lines = new Map<number, SharedLine>();

  constructor(options: PciBusOptions) {
    this.#options = options;
    this.#allocator = new WindowAllocator(options.windows);
  }

  /**
   * Adds a function with its BARs assigned and decoded; by default alone in the first free slot.
   * @throws ConfigError when the place is taken or does not exist, or a window is full
   */
  addFunction(pciFunction: PciFunction, at: { slot?: number; fn?: number } = {}): PciAddress {
    const slot = at.slot ?? this.#freeSlot(pciFunction.name);
    const address: PciAddress = { bus: 0, slot, fn: at.fn ?? 0 };
    this.#checkPlace(pciFunction.name, address);
    pciFunction.attach(this.#hostFor(slot));
    this.#functions[slot * FUNCTIONS + address.fn] = pciFunction;
    // Drivers look for functions 1 to 7 only where function 0 says that there are some.
    const siblings = this.#functions.slice(slot * FUNCTIONS, (slot + 1) * FUNCTIONS);
    if (siblings.some((sibling, fn) => fn > 0 && sibling !== undefined)) {
      siblings[0]?.markMultiFunction();
    }
    return address;
  }

  /** By address. */
  functions(): readonly PlacedFunction[] {
    return this.#functions.flatMap((pciFunction, index) => {
      if (pciFunction === undefined) return [];
      const slot = Math.floor(index / FUNCTIONS);
      return [{ bus: 0, slot, fn: index % FUNCTIONS, function: pciFunction }];
    });
  }

  /** A configuration read of 1, 2 or 4 bytes; all ones where no function is. */
  configRead(bus: number, devfn: number, register: number, size: number): number {
    const pciFunction = bus === 0 ? this.#functions[devfn] : undefined;
    return pciFunction === undefined ? allOnes(size) : pciFunction.configRead(register, size);
  }

  /** A configuration write of 1, 2 or 4 bytes. */
  configWrite(bus: number, devfn: number, register: number, size: number, value: number): void {
    if (bus === 0) this.#functions[devfn]?.configWrite(register, size, value);
  }

  /** System reset: every function as it was added. */
  reset(): void {
    // The guest may have swapped BARs: nobody takes an address back before all have given theirs.
    for (const pciFunction of this.#functions) pciFunction?.beginReset();
    for (const pciFunction of this.#functions) pciFunction?.reset();
  }

  #hostFor(slot: number): PciFunctionHost {
    const { ports, mmio, interrupts, windows, intxGsi } = this.#options;
    return {
      ports,
      mmio,
      interrupts,
      windows,
      allocator: this.#allocator,
      released: () => {
        for (const pciFunction of this.#functions) pciFunction?.retryBars();
      },
      connectPin: (pin) => {
        const gsi = intxGsi(slot, pin);
        return { gsi, line: this.#sharedLine(gsi).connect() };
      },
    };
  }

  #sharedLine(gsi: number): SharedLine {
    const line = this.#lines.get(gsi) ?? new SharedLine(this.#options.interrupts.line(gsi));
    this.#lines.set(gsi, line);
    return line;
  }

  #freeSlot(name: string): number {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const functions = this.#functions.slice(slot * FUNCTIONS, (slot + 1) * FUNCTIONS);
      if (functions.every((pciFunction) => pciFunction === undefined)) return slot;
    }
    throw new ConfigError('PCI_BUS_FULL', `${name}: all ${SLOTS} PCI slots are taken`);
  }

  #checkPlace(name: string, { slot, fn }: PciAddress): void {
    const exists = (value: number, limit: number): boolean =>
      Number.isInteger(value) && value >= 0 && value < limit;
    if (!exists(slot, SLOTS) || !exists(fn, FUNCTIONS)) {
      throw new ConfigError(
        'PCI_NO_SUCH_SLOT',
        `${name}: PCI slot ${slot} function ${fn}: slots are 0 to 31, functions 0 to 7`,
      );
    }
    const other = this.#functions[slot * FUNCTIONS + fn];
    if (other === undefined) return;
    throw new ConfigError(
      'PCI_SLOT_TAKEN',
      `${name}: PCI slot ${slot} function ${fn} is taken by ${other.name}`,
    );
  }
}
