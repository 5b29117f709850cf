import type { BarKind } from './bar-options.ts';
import { formatPciAddress, type PciBus, type PlacedFunction } from './bus.ts';

export interface PciBarInfo {
  readonly index: number;
  readonly kind: BarKind;
  readonly prefetchable: boolean;
  /** Bytes or ports. */
  readonly size: number;
  /** What the register says. */
  readonly address: number;
  /** Whether it is decoded there. */
  readonly decoded: boolean;
}

/** One function, for `info pci`. */
export interface PciFunctionInfo {
  /** `00:01.0`. */
  readonly address: string;
  readonly bus: number;
  readonly slot: number;
  readonly fn: number;
  readonly name: string;
  readonly vendor: number;
  readonly device: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  readonly revision: number;
  /** 24 bits. */
  readonly classCode: number;
  readonly busMaster: boolean;
  readonly bars: readonly PciBarInfo[];
  /** `pin` is 1 to 4 for INTA to INTD. */
  readonly interrupt: { readonly pin: number; readonly gsi: number } | undefined;
  readonly msix: { readonly vectors: number; readonly enabled: boolean } | undefined;
}

function functionInfo(placed: PlacedFunction): PciFunctionInfo {
  const { ids, name, busMaster, bars, interruptPin: pin, gsi, msix } = placed.function;
  return {
    address: formatPciAddress(placed),
    bus: placed.bus,
    slot: placed.slot,
    fn: placed.fn,
    name,
    vendor: ids.vendor,
    device: ids.device,
    subsystemVendor: ids.subsystemVendor ?? 0,
    subsystem: ids.subsystem ?? 0,
    revision: ids.revision ?? 0,
    classCode: ids.classCode,
    busMaster,
    bars: bars.map(({ index, kind, prefetchable, size, address, base }) => {
      return { index, kind, prefetchable, size, address, decoded: base !== undefined };
    }),
    interrupt: pin === undefined || gsi === undefined ? undefined : { pin, gsi },
    msix: msix === undefined ? undefined : { vectors: msix.vectors, enabled: msix.enabled },
  };
}

/** Every function on the bus, by address. */
export function pciInfo(bus: PciBus): readonly PciFunctionInfo[] {
  return bus.functions().map(functionInfo);
}
