import { hostTime, type TimeSource } from '../../bus/time.ts';
import { PM_TIMER_BITS, PM_TIMER_HZ } from './registers.ts';

const TICKS_PER_MS = PM_TIMER_HZ / 1000;
/** The top bit changes this often. */
const HALF_PERIOD_TICKS = 2 ** (PM_TIMER_BITS - 1);

/** The power management timer: 24 bits that count the time since it was made (ACPI 6.5 §4.8.3.3). */
export class PmTimer {
  readonly #time: TimeSource;
  readonly #startMs: number;
  #halfPeriod = 0;

  constructor(time: TimeSource = hostTime) {
    this.#time = time;
    this.#startMs = time.monotonicMs();
  }

  /** 0 to 2^24-1. */
  value(): number {
    return Math.floor(this.#ticks()) % 2 ** PM_TIMER_BITS;
  }

  /** Whether the top bit has changed since the last call. */
  takeCarry(): boolean {
    const halfPeriod = Math.floor(this.#ticks() / HALF_PERIOD_TICKS);
    const changed = halfPeriod !== this.#halfPeriod;
    this.#halfPeriod = halfPeriod;
    return changed;
  }

  /** Milliseconds until the top bit changes, rounded up. */
  msUntilCarry(): number {
    const left = HALF_PERIOD_TICKS - (this.#ticks() % HALF_PERIOD_TICKS);
    return Math.ceil(left / TICKS_PER_MS);
  }

  #ticks(): number {
    return (this.#time.monotonicMs() - this.#startMs) * TICKS_PER_MS;
  }
}
