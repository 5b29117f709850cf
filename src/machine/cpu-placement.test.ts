import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loopThread } from '../kvm/loop-thread.ts';
import { NO_KVM, TinyGuest } from '../kvm/testing/tiny-guest.ts';
import { parseCpuAffinity } from './config/cpu-affinity-option.ts';
import { CpuPlacement } from './cpu-placement.ts';

const SPIN = [0xeb, 0xfe];
const ALL = loopThread.cpuAffinity();
const [FIRST = 0] = ALL;
const LAST = ALL.at(-1) ?? 0;

describe('--cpu-affinity', () => {
  it.each([
    ['auto', { kind: 'auto' }],
    ['off', { kind: 'off' }],
    ['loop=1', { kind: 'fixed', loop: [1], vcpus: undefined }],
    [
      'vcpus=4-5,vcpus=7',
      {
        kind: 'fixed',
        loop: undefined,
        vcpus: [
          [4, 5, 7],
          [4, 5, 7],
        ],
      },
    ],
    ['loop=0,vcpus=2-4,pin=on', { kind: 'fixed', loop: [0], vcpus: [[2], [3]] }],
  ])('%s', (text, expected) => {
    expect(parseCpuAffinity(text, 2)).toEqual(expected);
  });

  it.each([
    ['on', '--cpu-affinity=on: must be auto, off, or loop='],
    ['', '--cpu-affinity=: must be auto'],
    ['loop=x', '--cpu-affinity loop=x: must be a number or a range'],
    ['loop=', '--cpu-affinity loop=: the value is empty'],
    ['vcpus=8192', '--cpu-affinity vcpus=8192: must be'],
    ['vcpus=3,pin=on', '--cpu-affinity vcpus=3: 1 CPUs for 2 vCPUs'],
    ['loop=3,pin=on', '--cpu-affinity pin=on: give vcpus='],
    ['loop=3,io=4', 'unknown key io; the keys are loop, pin, vcpus'],
  ])('refuses %s', (text, message) => {
    expect(() => parseCpuAffinity(text, 2)).toThrow(message);
  });
});

describe.skipIf(NO_KVM !== '')('the CPUs of threads', () => {
  let guest: TinyGuest;
  let placement: CpuPlacement | undefined;

  const place = (text: string): CpuPlacement => {
    placement = new CpuPlacement(parseCpuAffinity(text, 1), [guest.vcpu]);
    return placement;
  };
  const vcpuStarted = async (): Promise<void> => {
    guest.vcpu.run();
    await vi.waitFor(() => expect(guest.vcpu.threadId).not.toBe(0), { timeout: 60_000 });
  };

  beforeEach(() => {
    guest = new TinyGuest({ code: SPIN });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });

  afterEach(() => {
    placement?.close();
    vi.useRealTimers();
    guest.close();
    expect(loopThread.cpuAffinity()).toEqual(ALL);
  });

  it('are those that the user names, for a vCPU from its start', async () => {
    place(`loop=${FIRST},vcpus=${LAST}`).apply();
    expect(loopThread.cpuAffinity()).toEqual([FIRST]);
    await vcpuStarted();
    await vi.waitFor(() => expect(guest.vcpu.cpuAffinity()).toEqual([LAST]), { timeout: 60_000 });
  });

  it('are all for a vCPU where the user names those of the loop', async () => {
    place(`loop=${FIRST}`).apply();
    await vcpuStarted();
    await vi.waitFor(() => expect(guest.vcpu.cpuAffinity()).toEqual(ALL), { timeout: 60_000 });
  });

  it.each(['loop', 'vcpus'])('that are not there are refused by name: %s', (key) => {
    const text = `${key}=${FIRST},${key}=8191`;
    expect(() => place(text).apply()).toThrow(
      `--cpu-affinity ${key}: CPU 8191 is not there for this process`,
    );
    expect(loopThread.cpuAffinity()).toEqual(ALL);
  });

  it('are kept apart for a while where there are enough, and only once', async () => {
    await vcpuStarted();
    const auto = place('auto');
    const room = auto.makeRoom();
    expect(room).toBe(ALL.length > 1);
    if (room) {
      const [loop] = loopThread.cpuAffinity();
      expect(guest.vcpu.cpuAffinity()).toEqual(ALL.filter((cpu) => cpu !== loop));
      expect(auto.makeRoom()).toBe(false);
      vi.advanceTimersByTime(2000);
      expect(auto.makeRoom()).toBe(true);
      vi.advanceTimersByTime(2000);
    }
    expect(guest.vcpu.cpuAffinity()).toEqual(ALL);
    expect(loopThread.cpuAffinity()).toEqual(ALL);
  });

  it('stay as somebody else has set them meanwhile', async () => {
    await vcpuStarted();
    if (!place('auto').makeRoom()) return;
    guest.vcpu.setCpuAffinity([FIRST]);
    vi.advanceTimersByTime(2000);
    expect(guest.vcpu.cpuAffinity()).toEqual([FIRST]);
  });

  it('are left alone before the vCPU runs, and when they are not to be touched', async () => {
    expect(place('auto').makeRoom()).toBe(false);
    await vcpuStarted();
    expect(place('off').makeRoom()).toBe(false);
    expect(place(`vcpus=${FIRST}`).makeRoom()).toBe(false);
  });
});
