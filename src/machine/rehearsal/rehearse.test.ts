import { afterEach, describe, expect, it, vi } from 'vitest';
import { VirtioCore } from '../../virtio/core.ts';
import { turnOfTheLoop } from '../../virtio/testing/event-loop.ts';
import { MadeUpDevice } from './made-up-device.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** Until the device has answered all that it was asked. */
async function answered(device: MadeUpDevice, count: number): Promise<void> {
  while (device.answered < count) {
    device.step();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a device that is made up', () => {
  it('does everything that it is asked for', async () => {
    const made = new MadeUpDevice();
    await answered(made, 2000);
    const { answers, properties } = made.device;
    expect(answers).toMatchObject({ nack: 0, busy: 0, error: 0 });
    expect(properties.protectUnplugged && properties.dynamicMemslots).toBe(true);
    for (const type of ['plug', 'unplug', 'unplug-all', 'state'] as const) {
      expect(made.device.latencies[type].summary.count, type).toBeGreaterThan(0);
    }
  });

  it('takes its memory back again and again', async () => {
    const made = new MadeUpDevice();
    const sizes = new Set<number>();
    made.device.onSizeChange(() => sizes.add(made.device.sizes.pluggedSize));
    await answered(made, 1000);
    expect(sizes).toContain(0);
    expect(Math.max(...sizes)).toBe(made.device.properties.size);
  });
});

describe('a device that is made up and rests', () => {
  it('has nothing to complain of, though requests are under way', async () => {
    let time = 0;
    // So slow that each turn of the event loop has time for one request.
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 100));
    const complaint = vi.spyOn(VirtioCore.prototype, 'needsReset');
    const made = new MadeUpDevice();
    while (made.answered < 5) {
      made.step();
      await turnOfTheLoop();
    }
    await made.rest();
    for (let turn = 0; turn < 3; turn++) await turnOfTheLoop();
    clock.mockRestore();
    expect(complaint).not.toHaveBeenCalled();
    expect(made.answered).toBeLessThan(30);
    complaint.mockRestore();
  });
});

describe('a rehearsal', () => {
  it('does not mix its requests with those that are traced', async () => {
    vi.useFakeTimers();
    vi.resetModules();
    const { setLogLevel } = await import('../../log.ts');
    const { MadeUpDevice } = await import('./made-up-device.ts');
    const { rehearse } = await import('./rehearse.ts');
    const step = vi.spyOn(MadeUpDevice.prototype, 'step');
    setLogLevel('trace');
    rehearse();
    expect(vi.getTimerCount()).toBe(0);
    setLogLevel('silent');
    rehearse();
    vi.advanceTimersToNextTimer();
    expect(step).toHaveBeenCalledTimes(2);
    setLogLevel('trace-all');
    vi.runAllTimers();
    expect(step).toHaveBeenCalledTimes(2);
    expect(vi.getTimerCount()).toBe(0);
    setLogLevel('info');
    vi.resetModules();
  });

  it('is held once, and can be stopped', async () => {
    vi.useFakeTimers();
    const { rehearse } = await import('./rehearse.ts');
    const stop = rehearse();
    expect(vi.getTimerCount()).toBe(1);
    rehearse();
    expect(vi.getTimerCount()).toBe(1);
    stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
