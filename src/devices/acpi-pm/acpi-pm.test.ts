import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeInterrupts } from '../../bus/testing/fake-interrupts.ts';
import { FakeIoSpace } from '../../bus/testing/fake-io-space.ts';
import { AcpiPm } from './acpi-pm.ts';

const SCI = 9;
const STATUS = 0x600;
const ENABLE = 0x602;
const CONTROL = 0x604;
const TIMER = 0x608;

function createPm() {
  const ports = new FakeIoSpace({ kind: 'port' });
  const interrupts = new FakeInterrupts();
  let powerOffs = 0;
  const onPowerOff = (): void => {
    powerOffs += 1;
  };
  const pm = new AcpiPm({ ports, sci: interrupts.line(SCI), onPowerOff });
  return { ports, pm, sci: () => interrupts.level(SCI), powerOffs: () => powerOffs };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the power button', () => {
  it('raises the SCI until the guest clears its status', () => {
    const { ports, pm, sci } = createPm();
    ports.write(ENABLE, 2, 0x0100);
    expect(sci()).toBe(false);
    expect(pm.pressPowerButton()).toBe(true);
    expect(sci()).toBe(true);
    expect(ports.read(STATUS, 2)).toBe(0x0100);
    ports.write(STATUS, 2, 0x0001);
    expect(sci()).toBe(true);
    ports.write(STATUS, 2, 0x0100);
    expect(sci()).toBe(false);
    expect(ports.read(STATUS, 2)).toBe(0);
  });

  it('waits for a guest that has not enabled it', () => {
    const { ports, pm, sci } = createPm();
    expect(pm.pressPowerButton()).toBe(false);
    expect(sci()).toBe(false);
    ports.write(ENABLE, 2, 0x0100);
    expect(sci()).toBe(true);
    ports.write(ENABLE, 2, 0);
    expect(sci()).toBe(false);
  });

  it('is cleared in bytes as well, and by no neighbour', () => {
    const { ports, pm } = createPm();
    pm.pressPowerButton();
    ports.write(STATUS, 1, 0xff);
    expect(ports.read(STATUS, 2)).toBe(0x0100);
    ports.write(STATUS + 1, 1, 0x01);
    expect(ports.read(STATUS, 2)).toBe(0);
  });

  it('is forgotten by a reset', () => {
    const { ports, pm, sci } = createPm();
    ports.write(ENABLE, 2, 0x0100);
    pm.pressPowerButton();
    pm.reset();
    expect(sci()).toBe(false);
    expect(ports.read(STATUS, 4)).toBe(0);
  });
});

it('lets the guest enable the fixed events and reads them back', () => {
  const { ports } = createPm();
  for (const bit of [0x0001, 0x0020, 0x0100, 0x0200, 0x0400]) {
    ports.write(ENABLE, 2, bit);
    expect(ports.read(ENABLE, 2)).toBe(bit);
  }
  ports.write(ENABLE, 2, 0xffff);
  expect(ports.read(ENABLE, 2)).toBe(0x0721);
  expect(ports.read(STATUS, 4)).toBe(0x0721_0000);
});

describe('the control register', () => {
  it('is in ACPI mode whatever is written', () => {
    const { ports } = createPm();
    expect(ports.read(CONTROL, 2)).toBe(0x0001);
    ports.write(CONTROL, 2, 0x0000);
    expect(ports.read(CONTROL, 2)).toBe(0x0001);
  });

  it('powers off for S5, once', () => {
    const { ports, powerOffs } = createPm();
    ports.write(CONTROL, 2, 5 << 10);
    expect(powerOffs()).toBe(0);
    expect(ports.read(CONTROL, 2)).toBe((5 << 10) | 1);
    ports.write(CONTROL, 2, (5 << 10) | 0x2000);
    ports.write(CONTROL, 2, (5 << 10) | 0x2000);
    expect(powerOffs()).toBe(1);
    expect(ports.read(CONTROL, 2)).toBe((5 << 10) | 1);
  });

  it('powers off again after a reset', () => {
    const { ports, pm, powerOffs } = createPm();
    ports.write(CONTROL + 1, 1, 0x34);
    pm.reset();
    ports.write(CONTROL + 1, 1, 0x34);
    expect(powerOffs()).toBe(2);
  });

  it('ignores every other sleeping state', () => {
    const { ports, powerOffs } = createPm();
    for (const type of [0, 1, 2, 3, 4, 6, 7]) ports.write(CONTROL, 2, (type << 10) | 0x2000);
    expect(powerOffs()).toBe(0);
  });
});

describe('the timer', () => {
  it('counts 3579545 times a second and wraps at 24 bits', () => {
    const { ports } = createPm();
    expect(ports.read(TIMER, 4)).toBe(0);
    vi.advanceTimersByTime(1000);
    expect(ports.read(TIMER, 4)).toBe(3_579_545);
    vi.advanceTimersByTime(9000);
    expect(ports.read(TIMER, 4)).toBe(35_795_450 % 2 ** 24);
    ports.write(TIMER, 4, 0);
    expect(ports.read(TIMER, 4)).toBe(35_795_450 % 2 ** 24);
  });

  it('raises the SCI when its top bit changes and the guest wants to know', () => {
    const { ports, sci } = createPm();
    ports.write(ENABLE, 2, 0x0001);
    vi.advanceTimersByTime(2343);
    expect(sci()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(sci()).toBe(true);
    ports.write(STATUS, 2, 0x0001);
    expect(sci()).toBe(false);
    vi.advanceTimersByTime(2344);
    expect(sci()).toBe(true);
  });

  it('shows the carry to a guest that looks, without a host timer', () => {
    const { ports, sci } = createPm();
    vi.advanceTimersByTime(2400);
    expect(vi.getTimerCount()).toBe(0);
    expect(ports.read(STATUS, 2)).toBe(0x0001);
    expect(sci()).toBe(false);
  });

  it('shows no carry from before a reset', () => {
    const { ports, pm } = createPm();
    vi.advanceTimersByTime(2400);
    pm.reset();
    expect(ports.read(STATUS, 2)).toBe(0);
  });

  it('stops its host timer at a reset', () => {
    const { ports, pm } = createPm();
    ports.write(ENABLE, 2, 0x0001);
    expect(vi.getTimerCount()).toBe(1);
    pm.reset();
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('takes whatever a guest writes', () => {
  const { ports, pm } = createPm();
  let seed = 3;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  };
  for (let i = 0; i < 20_000; i++) {
    const port = STATUS + random(16);
    const size = [1, 2, 4][random(3)] ?? 1;
    if (random(2) === 0) ports.write(port, size, random(2 ** 32));
    else ports.read(port, size);
    if (random(20) === 0) pm.pressPowerButton();
    if (random(100) === 0) vi.advanceTimersByTime(random(3000));
  }
  pm.reset();
  expect(pm.state()).toMatchObject({ status: 0, enable: 0, control: 1 });
});
