import { allOnes } from '../../bytes.ts';
import type { InterruptLine } from '../../bus/interrupt.ts';
import type { IoSpace } from '../../bus/io-space.ts';
import { hostTime, type TimeSource } from '../../bus/time.ts';
import { PORTS } from '../../memory/layout.ts';
import { loadAlarm, secondsUntilAlarm } from './alarm.ts';
import { CMOS, periodMs, REG_A, REG_B, REG_C_IRQF, REG_D_VRT, RTC_EVENT } from './registers.ts';
import {
  isTimeRegister,
  loadTime,
  storeTime,
  timeFormat,
  type TimeFormat,
} from './time-registers.ts';

export interface RtcOptions {
  readonly ports: IoSpace;
  readonly irq: InterruptLine;
  /** Default: the host's. */
  readonly time?: TimeSource;
}

export interface RtcState {
  readonly index: number;
  readonly registerA: number;
  readonly registerB: number;
  readonly registerC: number;
  /** What the guest's clock is ahead of `time`, in milliseconds. */
  readonly offsetMs: number;
  /** The guest's time, in milliseconds since 1970, UTC. */
  readonly timeMs: number;
  /** Whether the guest has stopped the clock to set it. */
  readonly halted: boolean;
}

const SECOND = 1000;
const DAY_SECONDS = 86_400;
/** An update takes 1984 µs and is announced 244 µs ahead: the last milliseconds of each second. */
const UIP_FROM_MS = 998;
/** Longest sleep of the timer: how late the alarm may follow a step of the host's clock. */
const TIMER_LIMIT_MS = 60_000;

const modulo = (value: number, divisor: number): number => ((value % divisor) + divisor) % divisor;

/**
 * MC146818 real-time clock with 128 bytes of CMOS memory.
 *
 * The time is that of `time` in UTC plus an offset, which changes when the guest sets the clock. Events
 * are accounted when somebody looks, and a host timer runs only while the guest has enabled an
 * event that has not happened yet: a guest that ignores the clock costs nothing. The day of the
 * week follows from the date. The NMI mask in bit 7 of the index is ignored.
 *
 * @see MC146818 data sheet; ACPI 6.5 §5.2.9 for the century
 */
export class Rtc {
  readonly #irq: InterruptLine;
  readonly #time: TimeSource;
  readonly #cmos = new Uint8Array(CMOS.size);
  #index = 0;
  #a = REG_A.DV_32768_HZ | 6;
  #b: number = REG_B.HOURS_24;
  /** Of C, without IRQF. */
  #flags = 0;
  #offsetMs = 0;
  /** Time up to which events have been accounted. */
  #accountedMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** @throws ConfigError when the ports are taken */
  constructor({ ports, irq, time = hostTime }: RtcOptions) {
    this.#irq = irq;
    this.#time = time;
    this.#accountedMs = time.epochMs();
    const index = ports.add({
      name: 'rtc index',
      base: PORTS.rtcIndex,
      size: 1,
      read: 'shadow',
      write: 'post',
      handler: {
        read: (_offset, size) => allOnes(size),
        write: (_offset, _size, value) => {
          this.#index = value & 0x7f;
        },
      },
    });
    // Write-only: reads find nobody.
    index.shadow?.fill(0xff);
    ports.add({
      name: 'rtc data',
      base: PORTS.rtcData,
      size: 1,
      handler: {
        read: () => this.#read(this.#index),
        write: (_offset, _size, value) => this.#write(this.#index, value & 0xff),
      },
    });
  }

  /** System reset: no interrupts; the time, the alarm and the memory live on the battery. */
  reset(): void {
    this.#account();
    this.#b &= ~(RTC_EVENT.mask | REG_B.SQWE);
    this.#flags = 0;
    this.#settle();
  }

  /** Time stands still from now on, or goes on. */
  timeChanged(): void {
    this.#account();
    this.#settle();
  }

  state(): RtcState {
    this.#account();
    return {
      index: this.#index,
      registerA: this.#a,
      registerB: this.#b,
      registerC: this.#flags | (this.#interrupting ? REG_C_IRQF : 0),
      offsetMs: this.#offsetMs,
      timeMs: this.#isHalted()
        ? loadTime(this.#cmos, this.#format)
        : this.#time.epochMs() + this.#offsetMs,
      halted: this.#isHalted(),
    };
  }

  get #format(): TimeFormat {
    return timeFormat(this.#b);
  }

  #isDividerReset(): boolean {
    return (this.#a & REG_A.DV_RESET) === REG_A.DV_RESET;
  }

  /** The time registers keep what the guest writes, until it lets the clock go on. */
  #isHalted(): boolean {
    return (this.#b & REG_B.SET) !== 0 || this.#isDividerReset();
  }

  get #interrupting(): boolean {
    return (this.#flags & this.#b & RTC_EVENT.mask) !== 0;
  }

  #read(index: number): number {
    switch (index) {
      case CMOS.A:
        return this.#a | (this.#updateInProgress() ? REG_A.UIP : 0);
      case CMOS.B:
        return this.#b;
      case CMOS.C:
        return this.#takeFlags();
      case CMOS.D:
        return REG_D_VRT;
      default:
        if (isTimeRegister(index)) this.#latch();
        return this.#cmos[index] ?? 0;
    }
  }

  #write(index: number, value: number): void {
    this.#account();
    switch (index) {
      case CMOS.A:
        this.#control(value & ~REG_A.UIP, this.#b);
        break;
      case CMOS.B:
        // SET turns the update-ended interrupt off.
        this.#control(this.#a, (value & REG_B.SET) !== 0 ? value & ~RTC_EVENT.UPDATE : value);
        break;
      case CMOS.C:
      case CMOS.D:
        return;
      default:
        if (isTimeRegister(index)) this.#writeTime(index, value);
        else this.#cmos[index] = value;
    }
    this.#settle();
  }

  #updateInProgress(): boolean {
    return (
      !this.#isHalted() && modulo(this.#time.epochMs() + this.#offsetMs, SECOND) >= UIP_FROM_MS
    );
  }

  /** Reading C gives the events since the last time, and clears them. */
  #takeFlags(): number {
    this.#account();
    const value = this.#flags | (this.#interrupting ? REG_C_IRQF : 0);
    this.#flags = 0;
    this.#settle();
    return value;
  }

  /** Copies the running time into its registers. */
  #latch(): void {
    if (!this.#isHalted())
      storeTime(this.#cmos, this.#time.epochMs() + this.#offsetMs, this.#format);
  }

  #writeTime(index: number, value: number): void {
    this.#latch();
    this.#cmos[index] = value;
    if (!this.#isHalted()) this.#adopt(modulo(this.#time.epochMs() + this.#offsetMs, SECOND));
  }

  /** Makes the time registers the time, `phaseMs` into the second. */
  #adopt(phaseMs: number): void {
    this.#offsetMs = loadTime(this.#cmos, this.#format) + phaseMs - this.#time.epochMs();
  }

  #control(a: number, b: number): void {
    const phaseMs = modulo(this.#time.epochMs() + this.#offsetMs, SECOND);
    const wasHalted = this.#isHalted();
    const dividerWasReset = this.#isDividerReset();
    this.#latch();
    this.#a = a;
    this.#b = b;
    if (!wasHalted || this.#isHalted()) return;
    // Out of divider reset the first update comes half a second later.
    this.#adopt(dividerWasReset ? SECOND / 2 : phaseMs);
  }

  /** Sets the flags of what happened since the last time. */
  #account(): void {
    const from = this.#accountedMs;
    const now = this.#time.epochMs();
    this.#accountedMs = now;
    const period = this.#isDividerReset() ? undefined : periodMs(this.#a);
    if (period !== undefined && Math.floor(now / period) > Math.floor(from / period)) {
      this.#flags |= RTC_EVENT.PERIODIC;
    }
    if (this.#isHalted()) return;
    const first = Math.floor((from + this.#offsetMs) / SECOND);
    const last = Math.floor((now + this.#offsetMs) / SECOND);
    // A host clock that steps back brings no event.
    if (last <= first) return;
    this.#flags |= RTC_EVENT.UPDATE;
    const alarm = this.#secondsUntilAlarm(first);
    if (alarm !== undefined && first + alarm <= last) this.#flags |= RTC_EVENT.ALARM;
  }

  #secondsUntilAlarm(epochSeconds: number): number | undefined {
    const alarm = loadAlarm(this.#cmos, this.#format);
    return secondsUntilAlarm(alarm, modulo(epochSeconds, DAY_SECONDS));
  }

  /** Brings the interrupt request and the timer up to date. */
  #settle(): void {
    this.#irq.set(this.#interrupting);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const wait = this.#time.isHeld ? Infinity : this.#msUntilEvent();
    if (wait === Infinity) return;
    // Rates above 1 kHz come as fast as the guest reads C, at most once a millisecond.
    const delay = Math.max(1, Math.min(Math.ceil(wait), TIMER_LIMIT_MS));
    this.#timer = setTimeout(() => {
      this.#account();
      this.#settle();
    }, delay).unref();
  }

  /** Time until the next event that would interrupt; Infinity for none. */
  #msUntilEvent(): number {
    const awaited = this.#b & ~this.#flags;
    const now = this.#accountedMs;
    let wait = Infinity;
    const period = this.#isDividerReset() ? undefined : periodMs(this.#a);
    if ((awaited & RTC_EVENT.PERIODIC) !== 0 && period !== undefined) {
      wait = period - modulo(now, period);
    }
    if (this.#isHalted()) return wait;
    const phase = modulo(now + this.#offsetMs, SECOND);
    if ((awaited & RTC_EVENT.UPDATE) !== 0) wait = Math.min(wait, SECOND - phase);
    if ((awaited & RTC_EVENT.ALARM) !== 0) {
      const seconds = this.#secondsUntilAlarm(Math.floor((now + this.#offsetMs) / SECOND));
      if (seconds !== undefined) wait = Math.min(wait, seconds * SECOND - phase);
    }
    return wait;
  }
}
