import { FakeInterrupts } from '../../bus/testing/fake-interrupts.ts';
import { FakeIoSpace } from '../../bus/testing/fake-io-space.ts';
import { MIB } from '../../units.ts';
import { PciBus } from '../bus.ts';
import { HostBridge } from '../host-bridge.ts';
import type { PciWindows } from '../windows.ts';

export const RIG_WINDOWS: PciWindows = {
  io: { base: 0xc000, size: 0x4000 },
  memory32: { base: 0xc000_0000, size: 0x1000_0000 },
  memory64: { base: 2 ** 36, size: 2 ** 32 },
};
export const RIG_ECAM_BASE = 0xe000_0000;

/** One slot, as a driver sees its configuration space: through ECAM. */
export interface RigSlot {
  readonly read: (register: number, size?: number) => number;
  readonly write: (register: number, value: number, size?: number) => void;
  /** Offset of the first capability with this ID; 0 when there is none. */
  readonly capability: (id: number) => number;
}

/** A bus behind its host bridge, on fake spaces; a test plays the guest. */
export interface PciRig {
  readonly ports: FakeIoSpace;
  readonly mmio: FakeIoSpace;
  readonly interrupts: FakeInterrupts;
  readonly bus: PciBus;
  readonly bridge: HostBridge;
  /** What came to port 0xcf9. */
  readonly resets: number[];
  readonly slot: (slot: number, fn?: number) => RigSlot;
  /** System reset. */
  readonly reset: () => void;
}

/** INTx of slot n, as memory/layout.ts spreads them: 16 + (n % 2) * 4 + pin - 1. */
function intxGsi(slot: number, pin: number): number {
  return 16 + (slot % 2) * 4 + pin - 1;
}

function slotOf(mmio: FakeIoSpace, base: number): RigSlot {
  const read = (register: number, size = 4): number => mmio.read(base + register, size);
  return {
    read,
    write: (register, value, size = 4) => {
      mmio.write(base + register, size, value);
    },
    capability: (id) => {
      for (let at = read(0x34, 1), hops = 0; at !== 0 && hops < 48; at = read(at + 1, 1), hops++) {
        if (read(at, 1) === id) return at;
      }
      return 0;
    },
  };
}

export function createPciRig({ ecamSize = MIB } = {}): PciRig {
  const ports = new FakeIoSpace({ kind: 'port' });
  const mmio = new FakeIoSpace();
  const interrupts = new FakeInterrupts();
  const resets: number[] = [];
  const bus = new PciBus({ ports, mmio, interrupts, windows: RIG_WINDOWS, intxGsi });
  const bridge = new HostBridge({
    bus,
    ports,
    mmio,
    ecamBase: RIG_ECAM_BASE,
    ecamSize,
    resetControl: {
      read: () => resets.at(-1) ?? 0,
      write: (_offset, _size, value) => resets.push(value),
    },
  });
  return {
    ports,
    mmio,
    interrupts,
    bus,
    bridge,
    resets,
    slot: (slot, fn = 0) => slotOf(mmio, RIG_ECAM_BASE + slot * 0x8000 + fn * 0x1000),
    reset: () => {
      bus.reset();
      bridge.reset();
    },
  };
}
