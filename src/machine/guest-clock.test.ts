import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT_KIND } from '../kvm/exit.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import { NO_KVM, TinyGuest } from '../kvm/testing/tiny-guest.ts';
import { GuestClock } from './guest-clock.ts';

/** out 0x10, al; jmp back. */
const ASK = [0xe6, 0x10, 0xeb, 0xfc];
const TSC = new Uint32Array([0x10]);
/** How long a pause is, ms: a lot more than what a clock may be off by. */
const PAUSE_MS = 400;
/** How far the host's clocks may be from each other after a few seconds, ms. */
const RATE_ERROR_MS = 5;

let guest: TinyGuest;
let calls: string[];

beforeEach(() => {
  calls = [];
  guest = new TinyGuest({ code: ASK, ranges: [{ base: 0x10, size: 1 }] });
});

afterEach(() => guest.close());

const kvmclockMs = (): number => {
  const bytes = guest.vm.getState('clock');
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)) / 1e6;
};

const tscOf = (vcpu: Vcpu): bigint => vcpu.getMsrs(TSC)[0] ?? 0n;

function clock(whilePaused: 'stop' | 'run'): GuestClock {
  const devices = {
    holdTime: () => calls.push('hold'),
    releaseTime: () => calls.push('release'),
  };
  return new GuestClock({ vm: guest.vm, vcpus: [guest.vcpu], devices, whilePaused });
}

/** Whether this KVM lets a guest's TSC be another than the host's. */
function tscCanBeSet(): boolean {
  const before = tscOf(guest.vcpu);
  const offset = guest.vcpu.tscOffset();
  if (offset === undefined) return false;
  const ahead = 1n << 50n;
  guest.vcpu.setTscOffset(offset + ahead);
  const moved = tscOf(guest.vcpu) - before > ahead;
  guest.vcpu.setTscOffset(offset);
  return moved;
}

async function sleep(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

/** Ticks of the TSC in a millisecond, and its value: measured over a known time. */
async function tscRate(): Promise<number> {
  const [start, from] = [performance.now(), tscOf(guest.vcpu)];
  await sleep();
  return Number(tscOf(guest.vcpu) - from) / (performance.now() - start);
}

interface Outcome {
  /** What the clocks went on by, ms. */
  readonly kvmclock: number;
  readonly tsc: number;
  /** The most they may have, when they stood still, ms. */
  readonly running: number;
  readonly paused: number;
}

async function pause(whilePaused: 'stop' | 'run'): Promise<Outcome> {
  const rate = await tscRate();
  const it = clock(whilePaused);
  const start = performance.now();
  const [from, fromTsc] = [kvmclockMs(), tscOf(guest.vcpu)];
  it.hold();
  const held = performance.now();
  await sleep();
  const paused = performance.now() - held;
  it.release();
  const [kvmclock, tsc] = [kvmclockMs() - from, Number(tscOf(guest.vcpu) - fromTsc) / rate];
  return { kvmclock, tsc, running: performance.now() - start - paused, paused };
}

describe.skipIf(NO_KVM !== '')('over a pause', () => {
  it('stop: kvmclock and TSC go on from where they were', async () => {
    const { kvmclock, tsc, running } = await pause('stop');
    expect(kvmclock).toBeLessThan(running + RATE_ERROR_MS);
    if (tscCanBeSet()) expect(tsc).toBeLessThan(running + RATE_ERROR_MS);
    expect(kvmclock).toBeGreaterThanOrEqual(0);
    expect(tsc).toBeGreaterThan(0);
    expect(calls).toEqual(['hold', 'release']);
  });

  it('run: both have gone on', async () => {
    const { kvmclock, tsc, paused } = await pause('run');
    expect(kvmclock).toBeGreaterThan(paused - RATE_ERROR_MS);
    expect(tsc).toBeGreaterThan(paused - RATE_ERROR_MS);
    expect(calls).toEqual([]);
  });

  it('a reset meanwhile leaves the TSC where the reset has put it', () => {
    if (!tscCanBeSet()) return;
    const it = clock('stop');
    guest.vcpu.setMsrs(TSC, new BigUint64Array([1_000_000_000_000n]));
    it.hold();
    // Not 0, which KVM takes for a new vCPU that is to have the time of the others.
    guest.vcpu.setMsrs(TSC, new BigUint64Array([1000n]));
    it.reset();
    it.release();
    expect(tscOf(guest.vcpu)).toBeLessThan(1_000_000_000_000n);
  });

  it('the guest goes on afterwards, and need not use kvmclock', async () => {
    guest.vcpu.run();
    await guest.nextExit();
    guest.vcpu.pause();
    guest.vcpu.resume();
    let exit = await guest.nextExit();
    while (exit.kind !== EXIT_KIND.parked) {
      guest.vcpu.resume();
      exit = await guest.nextExit();
    }
    expect(guest.vcpu.markPaused()).toBe(false);
    const it = clock('stop');
    it.hold();
    it.release();
    guest.vcpu.run();
    expect((await guest.nextExit()).kind).toBe(EXIT_KIND.port);
  });
});
