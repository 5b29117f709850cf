import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeInterrupts } from '../../bus/testing/fake-interrupts.ts';
import { FakeIoSpace } from '../../bus/testing/fake-io-space.ts';
import { Rtc } from './rtc.ts';

const IRQ = 8;

function createRtc() {
  const ports = new FakeIoSpace({ kind: 'port' });
  const interrupts = new FakeInterrupts();
  const rtc = new Rtc({ ports, irq: interrupts.line(IRQ) });
  const read = (index: number): number => {
    ports.write(0x70, 1, index);
    return ports.read(0x71, 1);
  };
  const write = (index: number, value: number): void => {
    ports.write(0x70, 1, index);
    ports.write(0x71, 1, value);
  };
  return {
    rtc,
    ports,
    read,
    write,
    line: () => interrupts.level(IRQ),
    raises: () => interrupts.raises(IRQ),
    /** Seconds, minutes, hours, day of week, day, month, year, century. */
    time: () => [0, 2, 4, 6, 7, 8, 9, 0x32].map(read),
  };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  // A Thursday.
  vi.setSystemTime(Date.UTC(2026, 0, 29, 13, 45, 59, 250));
});
afterEach(() => {
  vi.useRealTimers();
});

describe('reading the time', () => {
  it('is UTC in BCD and 24 hours, with a century', () => {
    const { time, read } = createRtc();
    expect(read(0x0b)).toBe(0x02);
    expect(time()).toEqual([0x59, 0x45, 0x13, 5, 0x29, 0x01, 0x26, 0x20]);
  });

  it('is binary when the guest prefers that', () => {
    const { time, write } = createRtc();
    write(0x0b, 0x06);
    expect(time()).toEqual([59, 45, 13, 5, 29, 1, 26, 20]);
  });

  it.each([
    [0, 0x12],
    [1, 0x01],
    [11, 0x11],
    [12, 0x92],
    [13, 0x81],
    [23, 0x91],
  ])('shows hour %i as 0x%x on a 12-hour clock', (hour, shown) => {
    vi.setSystemTime(Date.UTC(2026, 0, 29, hour));
    const { read, write } = createRtc();
    write(0x0b, 0x00);
    expect(read(4)).toBe(shown);
  });

  it('announces an update, and not while the clock is stopped', () => {
    const { read, write } = createRtc();
    expect(read(0x0a)).toBe(0x26);
    vi.advanceTimersByTime(748);
    expect(read(0x0a)).toBe(0xa6);
    vi.advanceTimersByTime(2);
    expect(read(0x0a)).toBe(0x26);
    expect(read(0)).toBe(0);
    vi.advanceTimersByTime(999);
    write(0x0b, 0x82);
    expect(read(0x0a)).toBe(0x26);
  });

  it('says that the battery is good, and ignores the NMI mask', () => {
    const { read } = createRtc();
    expect(read(0x0d)).toBe(0x80);
    expect(read(0x8d)).toBe(0x80);
  });

  it('reads the index port as nobody', () => {
    const { ports } = createRtc();
    ports.write(0x70, 1, 0x0b);
    expect(ports.read(0x70, 1)).toBe(0xff);
  });
});

describe('setting the time', () => {
  /** Stops the clock, writes the fields as a driver does, and lets it go on. */
  function set({ write, read }: ReturnType<typeof createRtc>, fields: readonly number[]): void {
    const control = read(0x0b);
    const rate = read(0x0a);
    write(0x0b, control | 0x80);
    write(0x0a, (rate & 0x0f) | 0x70);
    for (const [i, index] of [0, 2, 4, 7, 8, 9, 0x32].entries()) write(index, fields[i] ?? 0);
    write(0x0b, control);
    write(0x0a, rate);
  }

  it('keeps running from what was set, the first update half a second later', () => {
    const clock = createRtc();
    set(clock, [0x30, 0x59, 0x23, 0x31, 0x12, 0x99, 0x19]);
    vi.advanceTimersByTime(499);
    expect(clock.time()).toEqual([0x30, 0x59, 0x23, 6, 0x31, 0x12, 0x99, 0x19]);
    vi.advanceTimersByTime(1);
    expect(clock.read(0)).toBe(0x31);
    vi.advanceTimersByTime(29_000);
    expect(clock.time()).toEqual([0x00, 0x00, 0x00, 7, 0x01, 0x01, 0x00, 0x20]);
    expect(clock.rtc.state().timeMs).toBe(Date.UTC(2000, 0, 1));
  });

  it('stands still while the guest sets it', () => {
    const { read, write, rtc } = createRtc();
    write(0x0b, 0x82);
    vi.advanceTimersByTime(5000);
    expect(read(0)).toBe(0x59);
    write(0, 0x10);
    expect(read(0)).toBe(0x10);
    expect(rtc.state().halted).toBe(true);
    write(0x0b, 0x02);
    expect(read(0)).toBe(0x10);
    expect(rtc.state().timeMs % 1000).toBe(250);
  });

  it('takes single registers of a running clock', () => {
    const { write, time } = createRtc();
    write(4, 0x07);
    expect(time()).toEqual([0x59, 0x45, 0x07, 5, 0x29, 0x01, 0x26, 0x20]);
  });

  it('reads a 12-hour clock back as it was set', () => {
    const { write, read } = createRtc();
    for (const hour of [0x12, 0x01, 0x11, 0x92, 0x81, 0x91]) {
      write(0x0b, 0x80);
      write(4, hour);
      write(0x0b, 0x00);
      expect(read(4)).toBe(hour);
    }
  });

  it('survives a reset of the machine, and so does the memory', () => {
    const { write, read, rtc } = createRtc();
    write(9, 0x42);
    write(0x40, 0xaa);
    write(0x0b, 0x72);
    rtc.reset();
    expect([read(9), read(0x40), read(0x0b)]).toEqual([0x42, 0xaa, 0x02]);
  });

  it('makes a time of anything', () => {
    const { write, read, rtc } = createRtc();
    for (const value of [0x00, 0xff, 0x9a, 0x7f]) {
      for (const control of [0x80, 0x82, 0x84, 0x86]) {
        write(0x0b, control);
        for (const index of [0, 2, 4, 6, 7, 8, 9, 0x32]) write(index, value);
        write(0x0b, control & 0x7f);
        expect(rtc.state().timeMs).toSatisfy(Number.isFinite);
        expect(read(0)).toBeLessThan(0x60);
      }
    }
  });
});

describe('events', () => {
  it('interrupts after each update, once register C has been read', () => {
    const { write, read, line, raises } = createRtc();
    read(0x0c);
    write(0x0b, 0x12);
    vi.advanceTimersByTime(749);
    expect(line()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(line()).toBe(true);
    vi.advanceTimersByTime(5000);
    expect(raises()).toBe(1);
    expect(read(0x0c)).toBe(0xd0);
    expect(line()).toBe(false);
    expect(read(0x0c)).toBe(0x00);
    vi.advanceTimersByTime(1000);
    expect(raises()).toBe(2);
  });

  it('flags events without interrupting for those that are not enabled', () => {
    const { read, line } = createRtc();
    read(0x0c);
    vi.advanceTimersByTime(1000);
    expect(read(0x0c)).toBe(0x50);
    expect(line()).toBe(false);
  });

  it('interrupts at the alarm', () => {
    const { write, read, line } = createRtc();
    write(1, 0x05);
    write(3, 0x46);
    write(5, 0x13);
    read(0x0c);
    write(0x0b, 0x22);
    vi.advanceTimersByTime(5749);
    expect(line()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(line()).toBe(true);
    expect(read(0x0c) & 0xa0).toBe(0xa0);
    vi.advanceTimersByTime(86_400_000);
    expect(line()).toBe(true);
  });

  it('interrupts every minute for an alarm that cares for seconds only', () => {
    const { write, read, raises } = createRtc();
    write(1, 0x00);
    write(3, 0xff);
    write(5, 0xc0);
    write(0x0b, 0x22);
    for (let minute = 1; minute <= 3; minute++) {
      vi.advanceTimersByTime(60_000);
      expect(raises()).toBe(minute);
      read(0x0c);
    }
  });

  it('interrupts at the periodic rate, and never faster than the guest looks', () => {
    const { write, read, raises, line } = createRtc();
    write(0x0a, 0x2b);
    read(0x0c);
    write(0x0b, 0x42);
    vi.advanceTimersByTime(1000);
    expect(raises()).toBe(1);
    let looks = 0;
    for (let ms = 0; ms < 1000; ms++) {
      vi.advanceTimersByTime(1);
      if (line() && (read(0x0c) & 0xc0) === 0xc0) looks += 1;
    }
    // 32 Hz, and the one that waited.
    expect(looks).toBeGreaterThanOrEqual(32);
    expect(looks).toBeLessThanOrEqual(34);
  });

  it('runs no timer when no event is awaited', () => {
    const { write, read, rtc } = createRtc();
    expect(vi.getTimerCount()).toBe(0);
    write(0x0a, 0x23);
    read(0x0c);
    write(0x0b, 0x72);
    expect(vi.getTimerCount()).toBe(1);
    rtc.reset();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('turns the update interrupt off when the clock is stopped', () => {
    const { write, read } = createRtc();
    write(0x0b, 0x92);
    expect(read(0x0b)).toBe(0x82);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('follows a host clock that steps back', () => {
    const { write, read, line } = createRtc();
    read(0x0c);
    write(0x0b, 0x12);
    vi.setSystemTime(Date.UTC(2025, 0, 1));
    expect(read(0x0c)).toBe(0);
    vi.advanceTimersByTime(3000);
    expect(line()).toBe(true);
    expect(read(9)).toBe(0x25);
  });
});

it('takes whatever a guest writes', () => {
  const { ports, read } = createRtc();
  let seed = 7;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  };
  for (let i = 0; i < 20_000; i++) {
    ports.write(0x70, 1, random(256));
    if (random(2) === 0) ports.write(0x71, 1, random(256));
    else ports.read(0x71, 1);
    if (random(100) === 0) vi.advanceTimersByTime(random(2000));
  }
  expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
  expect(read(0x0d)).toBe(0x80);
});
