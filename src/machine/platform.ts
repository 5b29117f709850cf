import type { InterruptController } from '../bus/interrupt.ts';
import type { IoSpace } from '../bus/io-space.ts';
import { PausableTime } from '../bus/time.ts';
import { AcpiPm } from '../devices/acpi-pm/acpi-pm.ts';
import { I8042 } from '../devices/i8042/i8042.ts';
import { ResetControl } from '../devices/reset-control/reset-control.ts';
import { Rtc } from '../devices/rtc/rtc.ts';
import type { SerialBackend } from '../devices/serial/backend.ts';
import { SerialPort } from '../devices/serial/serial-port.ts';
import {
  ECAM_BASE,
  ECAM_SIZE,
  GSIS,
  PCI_MMIO32_BASE,
  PCI_MMIO32_SIZE,
  PORTS,
} from '../memory/layout.ts';
import { PciBus } from '../pci/bus.ts';
import { HostBridge } from '../pci/host-bridge.ts';

export interface PlatformOptions {
  readonly ports: IoSpace;
  readonly mmio: IoSpace;
  readonly interrupts: InterruptController;
  /** Absent: there is no serial port. */
  readonly serial: SerialBackend | undefined;
  /** The guest wants a reset; `cause` says by what. */
  readonly onReset: (cause: string) => void;
  readonly onPowerOff: () => void;
}

/** What every machine has: PCI, the clock, ways to reset and power off, a serial port. */
export class Platform {
  readonly pci: PciBus;
  readonly #bridge: HostBridge;
  readonly #pm: AcpiPm;
  readonly #rtc: Rtc;
  readonly #time = new PausableTime();
  readonly #resettable: readonly { reset(): void }[];

  constructor(options: PlatformOptions) {
    const { ports, mmio, interrupts, serial, onReset, onPowerOff } = options;
    this.pci = new PciBus({
      ports,
      mmio,
      interrupts,
      windows: {
        io: { base: PORTS.pciIoBase, size: PORTS.pciIoSize },
        memory32: { base: PCI_MMIO32_BASE, size: PCI_MMIO32_SIZE },
      },
      intxGsi: (slot, pin) => GSIS.pciIntxBase + (slot % 2) * 4 + (pin - 1),
    });
    const resetControl = new ResetControl({ onReset });
    this.#bridge = new HostBridge({
      bus: this.pci,
      ports,
      mmio,
      ecamBase: ECAM_BASE,
      ecamSize: ECAM_SIZE,
      resetControl,
    });
    this.#pm = new AcpiPm({
      ports,
      sci: interrupts.line(GSIS.acpiSci),
      onPowerOff,
      time: this.#time,
    });
    this.#rtc = new Rtc({ ports, irq: interrupts.line(GSIS.rtc), time: this.#time });
    const i8042 = new I8042({ ports, onReset });
    const com1 =
      serial === undefined
        ? []
        : [
            new SerialPort({
              name: 'com1',
              ports,
              base: PORTS.com1,
              irq: interrupts.line(GSIS.com1),
              backend: serial,
            }),
          ];
    this.#resettable = [this.pci, this.#bridge, resetControl, this.#pm, this.#rtc, i8042, ...com1];
  }

  pressPowerButton(): void {
    this.#pm.pressPowerButton();
  }

  /** The devices' clocks stand still until `releaseTime`. */
  holdTime(): void {
    this.#time.hold();
    for (const device of [this.#pm, this.#rtc]) device.timeChanged();
  }

  /** They go on from where they stand. */
  releaseTime(): void {
    this.#time.release();
    for (const device of [this.#pm, this.#rtc]) device.timeChanged();
  }

  /** System reset of everything but memory. */
  reset(): void {
    for (const device of this.#resettable) device.reset();
  }

  /** Nothing runs any more: after a reset no timer is armed until the guest arms it. */
  close(): void {
    this.reset();
  }
}
