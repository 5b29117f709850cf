/**
 * One entry of a function's capability list (PCI 3.0 §6.7). Offsets are those of the standard
 * that defines it: 0 is the capability's ID, 1 the link to the next, `body` starts at 2.
 */
export interface PciCapability {
  /** PCI Code and ID Assignment §2: 0x09 vendor-specific, 0x11 MSI-X, … */
  readonly id: number;
  /** What follows ID and link, as it is after a reset. */
  readonly body: Uint8Array;
  /** Bits of `body` that the guest may change, same length. Absent: none. */
  readonly writable?: Uint8Array;
  /** Called before the guest reads any of [offset, offset + size): bring `view` up to date. */
  beforeRead?(view: DataView, offset: number, size: number): void;
  /** Called after the guest wrote any of [offset, offset + size), masks applied. */
  afterWrite?(view: DataView, offset: number, size: number): void;
}
