import type { PciFunctionOptions } from './function-options.ts';

/** The vectors of a function. */
export interface MsixControl {
  readonly vectors: number;
  /** MSI-X Enable: the guest wants messages and not the wire. */
  readonly enabled: boolean;
  /** Sends a vector's message, or marks it pending while masked; nothing when disabled or beyond `vectors`. */
  signal(vector: number): void;
}

/** The wire of a function. */
export interface IntxControl {
  /** The device wants service. The wire follows unless Interrupt Disable or MSI-X Enable is set. */
  set(asserted: boolean): void;
}

/** One PCI function: config space, BARs, interrupts. */
export declare class PciFunction {
  readonly name: string;
  readonly msix: MsixControl | undefined;
  /** Setting it does nothing without an `interruptPin`. */
  readonly intx: IntxControl;
  /** @throws ConfigError when the options contradict each other */
  constructor(options: PciFunctionOptions);
  /** Bus Master Enable: without it the device may not touch memory nor send messages. */
  get busMaster(): boolean;
  /** Where a BAR is decoded now. */
  barBase(index: number): number | undefined;
  /** Accesses of 1, 2 or 4 bytes as a driver's, wherever the BAR is; outside every region 0. */
  readBar(index: number, offset: number, size: number): number;
  writeBar(index: number, offset: number, size: number, value: number): void;
  /** Register 0 to 4095; accesses of 1, 2 or 4 bytes. */
  configRead(register: number, size: number): number;
  configWrite(register: number, size: number, value: number): void;
}
