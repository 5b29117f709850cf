import type { BarOptions } from './bar-options.ts';
import type { PciCapability } from './capability.ts';

export interface PciIds {
  readonly vendor: number;
  readonly device: number;
  /** Default 0. */
  readonly revision?: number;
  /** 24 bits: base class, subclass, programming interface. */
  readonly classCode: number;
  /** Default 0. */
  readonly subsystemVendor?: number;
  /** Default 0. */
  readonly subsystem?: number;
}

/** Where the MSI-X table and the pending bits live (PCI 3.0 §6.8.2). */
export interface MsixOptions {
  /** 1 to 2048. */
  readonly vectors: number;
  /** A memory BAR of the same function. */
  readonly bar: number;
  /** Bytes from the base of the BAR, multiples of 8. The table takes 16 bytes a vector. */
  readonly tableOffset: number;
  /** The pending bits take 8 bytes for each 64 vectors. */
  readonly pbaOffset: number;
}

/** What a function tells the device behind it. */
export interface PciFunctionHooks {
  /** A BAR is decoded at `base` from now on, or (undefined) no longer: time to move doorbells. */
  barMapped?(index: number, base: number | undefined): void;
  /** Bus Master Enable changed; it is set when the function is put on its bus. */
  busMasterChanged?(enabled: boolean): void;
  /** System reset. Config space, BARs and MSI-X are back in their initial state afterwards. */
  reset?(): void;
}

export interface PciFunctionOptions {
  /** The user's name for the device, for logs, `info pci` and `info mtree`. */
  readonly name: string;
  readonly ids: PciIds;
  readonly bars?: readonly BarOptions[];
  /** In the order of the list; MSI-X comes last, from `msix`. */
  readonly capabilities?: readonly PciCapability[];
  readonly msix?: MsixOptions;
  /** INTA to INTD as 1 to 4; absent: the function has no wire. */
  readonly interruptPin?: 1 | 2 | 3 | 4;
  readonly hooks?: PciFunctionHooks;
}
