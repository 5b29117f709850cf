import type { InterruptLine } from '../../bus/interrupt.ts';
import type { IoSpace } from '../../bus/io-space.ts';
import { hostTime, type TimeSource } from '../../bus/time.ts';
import { registerMap, type Register } from '../../bus/register-map.ts';
import { log } from '../../log.ts';
import { PORTS } from '../../memory/layout.ts';
import { PmTimer } from './pm-timer.ts';
import { PM1_CNT, PM1_EN_MASK, PM1_STS, SLP_TYP_S5 } from './registers.ts';

export interface AcpiPmOptions {
  readonly ports: IoSpace;
  /** The system control interrupt, level-triggered. */
  readonly sci: InterruptLine;
  /** The guest entered S5; called once until the next reset. */
  readonly onPowerOff: () => void;
  /** Default: the host's. */
  readonly time?: TimeSource;
}

export interface AcpiPmState {
  readonly status: number;
  readonly enable: number;
  readonly control: number;
  readonly timer: number;
}

const initialRegisters = () => ({ status: 0, enable: 0, control: 0, poweredOff: false });

/**
 * ACPI fixed hardware: PM1 event and control blocks, and the power management timer. There is no
 * SMI command port: the machine is in ACPI mode from the start (SCI_EN reads 1), and S5 is the only
 * sleeping state.
 *
 * @see ACPI 6.5 §4.8.3
 */
export class AcpiPm {
  readonly #sci: InterruptLine;
  readonly #onPowerOff: () => void;
  readonly #logger = log('acpi-pm');
  readonly #time: TimeSource;
  readonly #pmTimer: PmTimer;
  #registers = initialRegisters();
  #carryTimer: NodeJS.Timeout | undefined;
  #saidUnknownSleep = false;

  /** @throws ConfigError when the ports are taken */
  constructor({ ports, sci, onPowerOff, time = hostTime }: AcpiPmOptions) {
    this.#time = time;
    this.#pmTimer = new PmTimer(time);
    this.#sci = sci;
    this.#onPowerOff = onPowerOff;
    // A register per byte: guests may write PM1 in bytes, and writing 1 clears.
    this.#add(ports, 'acpi pm1 event', PORTS.acpiPm1Event, [
      this.#statusByte(0),
      this.#statusByte(8),
      this.#enableByte(0),
      this.#enableByte(8),
    ]);
    this.#add(ports, 'acpi pm1 control', PORTS.acpiPm1Control, [
      this.#controlByte(0),
      this.#controlByte(8),
    ]);
    this.#add(ports, 'acpi pm timer', PORTS.acpiPmTimer, [
      { name: 'PM_TMR', size: 4, read: () => this.#pmTimer.value() },
    ]);
  }

  /** System reset: no events pending or enabled. The timer counts on. */
  reset(): void {
    this.#registers = initialRegisters();
    this.#pmTimer.takeCarry();
    this.#settle();
  }

  /**
   * Presses the power button.
   *
   * @returns whether the guest has asked to hear of it
   */
  pressPowerButton(): boolean {
    this.#registers.status |= PM1_STS.PWRBTN;
    this.#settle();
    return (this.#registers.enable & PM1_STS.PWRBTN) !== 0;
  }

  /** Time stands still from now on, or goes on. */
  timeChanged(): void {
    this.#settle();
  }

  state(): AcpiPmState {
    this.#noticeCarry();
    const { status, enable, control } = this.#registers;
    return { status, enable, control: control | PM1_CNT.SCI_EN, timer: this.#pmTimer.value() };
  }

  #add(ports: IoSpace, name: string, base: number, registers: readonly Register[]): void {
    const size = registers.reduce((bytes, register) => bytes + register.size, 0);
    ports.add({ name, base, size, handler: registerMap({ name, size, registers }) });
  }

  #statusByte(shift: number): Register {
    return {
      name: 'PM1_STS',
      size: 1,
      read: () => {
        this.#noticeCarry();
        return (this.#registers.status >> shift) & 0xff;
      },
      write: (value) => {
        this.#noticeCarry();
        this.#registers.status &= ~(value << shift);
        this.#settle();
      },
    };
  }

  #enableByte(shift: number): Register {
    return {
      name: 'PM1_EN',
      size: 1,
      read: () => (this.#registers.enable >> shift) & 0xff,
      write: (value) => {
        this.#registers.enable = withByte(this.#registers.enable, shift, value) & PM1_EN_MASK;
        this.#settle();
      },
    };
  }

  #controlByte(shift: number): Register {
    return {
      name: 'PM1_CNT',
      size: 1,
      read: () => ((this.#registers.control | PM1_CNT.SCI_EN) >> shift) & 0xff,
      write: (value) => {
        this.#registers.control = withByte(this.#registers.control, shift, value) & PM1_CNT.stored;
        if (((value << shift) & PM1_CNT.SLP_EN) !== 0) this.#sleep();
      },
    };
  }

  #sleep(): void {
    const registers = this.#registers;
    const type = (registers.control >> PM1_CNT.SLP_TYP_SHIFT) & PM1_CNT.SLP_TYP_MASK;
    if (type === SLP_TYP_S5) {
      if (registers.poweredOff) return;
      registers.poweredOff = true;
      this.#onPowerOff();
    } else if (!this.#saidUnknownSleep) {
      this.#saidUnknownSleep = true;
      this.#logger.warn({ guest: { type } }, 'the guest asked for a sleeping state that is not S5');
    }
  }

  #noticeCarry(): void {
    if (this.#pmTimer.takeCarry()) this.#registers.status |= PM1_STS.TMR;
  }

  /** Brings the SCI up to date, and waits for the timer's carry where that would raise it. */
  #settle(): void {
    this.#noticeCarry();
    const { status, enable } = this.#registers;
    this.#sci.set((status & enable) !== 0);
    clearTimeout(this.#carryTimer);
    this.#carryTimer = undefined;
    if (this.#time.isHeld || (enable & ~status & PM1_STS.TMR) === 0) return;
    this.#carryTimer = setTimeout(() => this.#settle(), this.#pmTimer.msUntilCarry()).unref();
  }
}

function withByte(value: number, shift: number, byte: number): number {
  return (value & ~(0xff << shift)) | (byte << shift);
}
