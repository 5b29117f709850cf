import { CMOS, REG_B } from './registers.ts';

/** How the guest wants the registers read: bits DM and 24/12 of register B. */
export interface TimeFormat {
  readonly binary: boolean;
  readonly hours24: boolean;
}

const PM = 0x80;

export function timeFormat(registerB: number): TimeFormat {
  return {
    binary: (registerB & REG_B.DM_BINARY) !== 0,
    hours24: (registerB & REG_B.HOURS_24) !== 0,
  };
}

export function isTimeRegister(index: number): boolean {
  switch (index) {
    case CMOS.seconds:
    case CMOS.minutes:
    case CMOS.hours:
    case CMOS.dayOfWeek:
    case CMOS.dayOfMonth:
    case CMOS.month:
    case CMOS.year:
    case CMOS.century:
      return true;
    default:
      return false;
  }
}

function encode(value: number, { binary }: TimeFormat): number {
  return binary ? value : Math.floor(value / 10) * 16 + (value % 10);
}

/** Any byte gives a number from 0 to 255: the guest may write what is no digit. */
function decode(byte: number, { binary }: TimeFormat): number {
  return binary ? byte : (byte >> 4) * 10 + (byte & 0x0f);
}

function encodeHour(hour: number, format: TimeFormat): number {
  if (format.hours24) return encode(hour, format);
  return encode(((hour + 11) % 12) + 1, format) | (hour >= 12 ? PM : 0);
}

/** Decodes an hour, of the time or of the alarm. */
export function decodeHour(byte: number, format: TimeFormat): number {
  if (format.hours24) return decode(byte, format);
  return (decode(byte & ~PM, format) % 12) + ((byte & PM) !== 0 ? 12 : 0);
}

/** Decodes a second or minute, of the time or of the alarm. */
export const decodeSexagesimal: (byte: number, format: TimeFormat) => number = decode;

/** Puts a time (milliseconds since 1970, UTC) into the time registers. */
export function storeTime(cmos: Uint8Array, epochMs: number, format: TimeFormat): void {
  const time = new Date(epochMs);
  const year = time.getUTCFullYear();
  cmos[CMOS.seconds] = encode(time.getUTCSeconds(), format);
  cmos[CMOS.minutes] = encode(time.getUTCMinutes(), format);
  cmos[CMOS.hours] = encodeHour(time.getUTCHours(), format);
  cmos[CMOS.dayOfWeek] = time.getUTCDay() + 1;
  cmos[CMOS.dayOfMonth] = encode(time.getUTCDate(), format);
  cmos[CMOS.month] = encode(time.getUTCMonth() + 1, format);
  cmos[CMOS.year] = encode(year % 100, format);
  cmos[CMOS.century] = encode(Math.floor(year / 100) % 100, format);
}

/**
 * The time in the time registers, in milliseconds since 1970, UTC. Fields out of range carry into
 * the next, as the 31st of April into May; the day of the week follows from the date.
 */
export function loadTime(cmos: Uint8Array, format: TimeFormat): number {
  const field = (index: number): number => decode(cmos[index] ?? 0, format);
  const date = new Date(0);
  date.setUTCFullYear(
    field(CMOS.century) * 100 + field(CMOS.year),
    field(CMOS.month) - 1,
    field(CMOS.dayOfMonth),
  );
  const hour = decodeHour(cmos[CMOS.hours] ?? 0, format);
  date.setUTCHours(hour, field(CMOS.minutes), field(CMOS.seconds));
  return date.getTime();
}
