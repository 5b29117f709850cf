import { CMOS } from './registers.ts';
import { decodeHour, decodeSexagesimal, type TimeFormat } from './time-registers.ts';

/** When the alarm goes off, every day; an undefined field matches any value. */
export interface Alarm {
  readonly hour: number | undefined;
  readonly minute: number | undefined;
  readonly second: number | undefined;
}

const DAY = 86_400;
/** Both top bits set in an alarm register: "don't care" (MC146818, "Alarm"). */
const DONT_CARE = 0xc0;

export function loadAlarm(cmos: Uint8Array, format: TimeFormat): Alarm {
  const field = (
    index: number,
    decode: (byte: number, format: TimeFormat) => number,
  ): number | undefined => {
    const byte = cmos[index] ?? 0;
    return (byte & DONT_CARE) === DONT_CARE ? undefined : decode(byte, format);
  };
  return {
    hour: field(CMOS.hoursAlarm, decodeHour),
    minute: field(CMOS.minutesAlarm, decodeSexagesimal),
    second: field(CMOS.secondsAlarm, decodeSexagesimal),
  };
}

/** Smallest value from `from` to `limit` - 1 that the field matches. */
function match(field: number | undefined, from: number, limit: number): number | undefined {
  const value = field ?? from;
  return value >= from && value < limit ? value : undefined;
}

/** First second of the day at or after `from` at which the alarm goes off. */
function firstFrom(alarm: Alarm, from: number): number | undefined {
  for (let hour = Math.floor(from / 3600); hour < 24; hour++) {
    if (match(alarm.hour, hour, hour + 1) === undefined) continue;
    const inHour = Math.max(0, from - hour * 3600);
    for (let minute = Math.floor(inHour / 60); minute < 60; minute++) {
      if (match(alarm.minute, minute, minute + 1) === undefined) continue;
      const second = match(alarm.second, Math.max(0, inHour - minute * 60), 60);
      if (second !== undefined) return hour * 3600 + minute * 60 + second;
    }
  }
  return undefined;
}

/**
 * Seconds from a moment to the next alarm after it.
 *
 * @param secondOfDay  0 to 86399, UTC
 * @returns 1 to 86400; undefined when no time of day matches
 */
export function secondsUntilAlarm(alarm: Alarm, secondOfDay: number): number | undefined {
  const today = firstFrom(alarm, secondOfDay + 1);
  if (today !== undefined) return today - secondOfDay;
  const tomorrow = firstFrom(alarm, 0);
  return tomorrow === undefined ? undefined : tomorrow + DAY - secondOfDay;
}
