/*
 * Registers and bits of the MC146818 (Motorola data sheet, "Address map" and "Registers"), and the
 * century that the FADT points to (ACPI 6.5 §5.2.9).
 */
export const CMOS = {
  seconds: 0,
  secondsAlarm: 1,
  minutes: 2,
  minutesAlarm: 3,
  hours: 4,
  hoursAlarm: 5,
  /** 1 is Sunday. */
  dayOfWeek: 6,
  dayOfMonth: 7,
  month: 8,
  year: 9,
  A: 10,
  B: 11,
  C: 12,
  D: 13,
  century: 0x32,
  /** Bytes in all; from 14 on plain memory, but for the century. */
  size: 128,
} as const;

export const REG_A = {
  /** Update in progress. */
  UIP: 0x80,
  /** Divider: 110 and 111 hold it in reset. */
  DV_RESET: 0x60,
  DV_32768_HZ: 0x20,
  RS: 0x0f,
} as const;

/** The enable bits of B and the flags of C are the same for periodic, alarm and update-ended. */
export const RTC_EVENT = { PERIODIC: 0x40, ALARM: 0x20, UPDATE: 0x10, mask: 0x70 } as const;

export const REG_B = { SET: 0x80, SQWE: 0x08, DM_BINARY: 0x04, HOURS_24: 0x02 } as const;

export const REG_C_IRQF = 0x80;

/** Valid RAM and time: the battery is good. */
export const REG_D_VRT = 0x80;

/** Milliseconds between periodic events for the rate of A (32.768 kHz); undefined for none. */
export function periodMs(registerA: number): number | undefined {
  const rate = registerA & REG_A.RS;
  if (rate === 0) return undefined;
  // Rates 1 and 2 repeat 8 and 9: 256 and 128 Hz.
  const shift = rate <= 2 ? rate + 6 : rate - 1;
  return (1000 * 2 ** shift) / 32768;
}
