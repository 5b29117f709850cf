import { expect, it } from 'vitest';
import { loadAlarm, secondsUntilAlarm } from './alarm.ts';

const at = (hour: number, minute: number, second: number) => hour * 3600 + minute * 60 + second;

it('waits for the same time tomorrow when it is that time now', () => {
  expect(secondsUntilAlarm({ hour: 7, minute: 30, second: 0 }, at(7, 30, 0))).toBe(86_400);
});

it('waits until later today, or past midnight', () => {
  const alarm = { hour: 7, minute: 30, second: 0 };
  expect(secondsUntilAlarm(alarm, at(7, 29, 58))).toBe(2);
  expect(secondsUntilAlarm(alarm, at(23, 59, 59))).toBe(1 + at(7, 30, 0));
});

it('goes off every second, minute or hour when it does not care for the rest', () => {
  const any = undefined;
  expect(secondsUntilAlarm({ hour: any, minute: any, second: any }, at(23, 59, 59))).toBe(1);
  expect(secondsUntilAlarm({ hour: any, minute: any, second: 5 }, at(3, 59, 5))).toBe(60);
  expect(secondsUntilAlarm({ hour: any, minute: 10, second: 5 }, at(3, 59, 5))).toBe(660);
  expect(secondsUntilAlarm({ hour: 4, minute: any, second: any }, at(4, 59, 59))).toBe(
    86_400 - 3599,
  );
});

it('never goes off at a time that no day has', () => {
  expect(secondsUntilAlarm({ hour: 24, minute: 0, second: 0 }, 0)).toBeUndefined();
  expect(secondsUntilAlarm({ hour: 1, minute: 60, second: 0 }, 0)).toBeUndefined();
  expect(secondsUntilAlarm({ hour: 1, minute: 0, second: 165 }, 0)).toBeUndefined();
});

it('agrees with trying every second', () => {
  const values = [undefined, 0, 11, 23, 59];
  for (const hour of [undefined, 0, 23]) {
    for (const minute of values) {
      for (const second of values) {
        const now = at(11, 58, 37);
        let tried = 1;
        for (; tried <= 86_400; tried++) {
          const time = (now + tried) % 86_400;
          if (hour !== undefined && Math.floor(time / 3600) !== hour) continue;
          if (minute !== undefined && Math.floor(time / 60) % 60 !== minute) continue;
          if (second === undefined || time % 60 === second) break;
        }
        expect(secondsUntilAlarm({ hour, minute, second }, now)).toBe(tried);
      }
    }
  }
});

it('reads the registers in the format of the clock', () => {
  const cmos = new Uint8Array(128);
  cmos.set([0, 0xc0, 0, 0x59, 0, 0x92]);
  expect(loadAlarm(cmos, { binary: false, hours24: false })).toEqual({
    hour: 12,
    minute: 59,
    second: undefined,
  });
  cmos[5] = 0x17;
  expect(loadAlarm(cmos, { binary: true, hours24: true })).toMatchObject({ hour: 23, minute: 89 });
});
