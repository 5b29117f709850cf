import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../errors.ts';
import { GIB, MIB } from '../units.ts';
import { EventHub } from './event-hub.ts';
import { MemoryDevice } from './memory-device.ts';
import type { ConvergenceKind, MemoryDeviceState, MemoryHost, VmStatus } from './memory-host.ts';
import type { Resize } from './resize.ts';

/** A machine whose guest does what a test says. */
class FakeHost implements MemoryHost {
  readonly hub = new EventHub();
  vmStatus: VmStatus = 'running';
  convergence: ConvergenceKind = 'under-way';
  size = 0;
  requestedSize = 0;

  status(): Promise<VmStatus> {
    return Promise.resolve(this.vmStatus);
  }

  state(id: string): Promise<MemoryDeviceState> {
    const { size, requestedSize } = this;
    const convergence = size === requestedSize ? 'converged' : this.convergence;
    const fixed = { maxSize: 8 * GIB, blockSize: 2 * MIB, memaddr: 4 * GIB, node: 0 };
    const cause = `it is ${convergence}`;
    return Promise.resolve({ id, size, requestedSize, convergence, cause, ...fixed });
  }

  request(id: string, bytes: number): Promise<void> {
    if (id !== 'vm0') return Promise.reject(new ConfigError('NO_DEVICE', `${id}: there is none`));
    if (bytes > 8 * GIB) {
      return Promise.reject(new ConfigError('TOO_LARGE', `vm0: ${bytes} is too much`));
    }
    this.requestedSize = bytes;
    return Promise.resolve();
  }

  plug(size: number): void {
    this.size = size;
    this.hub.emit({ type: 'memory-device-size', id: 'vm0', path: '/vm0', size });
  }
}

let host: FakeHost;
const device = (id = 'vm0'): MemoryDevice => new MemoryDevice(host, id);
const failure = (resize: Resize): Promise<unknown> =>
  resize.then(
    () => 'resolved',
    (error: unknown) => error,
  );
/** Lets time pass, and what is due be done. */
const wait = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => {
  vi.useFakeTimers();
  host = new FakeHost();
});
afterEach(() => {
  // Whatever came of it, nothing waits any more.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('a resize', () => {
  it('resolves when the device is as large as was asked', async () => {
    const resize = device().resize('1G');
    await wait(0);
    host.plug(GIB / 2);
    await wait(1);
    host.plug(GIB);
    expect(await resize).toMatchObject({ size: GIB, convergence: 'converged' });
  });

  it('needs no event to see it', async () => {
    const resize = device().resize(GIB);
    await wait(1);
    host.size = GIB;
    await wait(1);
    expect(await resize).toMatchObject({ size: GIB });
  });

  it('tells its progress, and is over for those who left', async () => {
    const resize = device().resize(GIB);
    const sizes: number[] = [];
    const following = (async () => {
      for await (const { size } of resize) sizes.push(size);
    })();
    await wait(0);
    for (const size of [GIB / 4, GIB / 2, GIB]) {
      host.plug(size);
      await wait(0);
    }
    await following;
    expect(sizes).toEqual([0, GIB / 4, GIB / 2, GIB]);
    expect(await resize.finally(() => undefined)).toMatchObject({ size: GIB });
  });

  it.each([
    ['vm7', GIB, 'vm7: there is none'],
    ['vm0', '9G', 'is too much'],
    ['vm0', 'lots', 'not a size'],
    ['vm0', 1.5, 'not a whole number of bytes'],
  ])('of %s to %s is refused, and says why', async (id, size, why) => {
    const error = await failure(device(id).resize(size));
    expect(error).toMatchObject({ code: 'REFUSED', device: id });
    expect(String(error)).toContain(why);
    expect(host.requestedSize).toBe(0);
  });

  it('is stalled when the guest is stuck and does nothing for 5 s', async () => {
    host.convergence = 'unplug-stalled';
    const failed = failure(device().resize(GIB));
    await wait(4);
    host.plug(2 * MIB);
    await wait(4.5);
    host.plug(4 * MIB);
    await wait(6);
    expect(await failed).toMatchObject({
      code: 'STALLED',
      message: 'vm0: stalled at 4 MiB of 1 GiB: it is unplug-stalled',
      state: { size: 4 * MIB },
    });
  });

  it.each<[ConvergenceKind, VmStatus]>([
    ['no-driver', 'running'],
    ['not-asked', 'running'],
    ['plug-stalled', 'paused'],
    ['plug-stalled', 'created'],
  ])('waits for a guest that is %s in a machine that is %s', async (convergence, status) => {
    host.convergence = convergence;
    host.vmStatus = status;
    const resize = device().resize(GIB);
    await wait(600);
    host.plug(GIB);
    expect(await resize).toMatchObject({ size: GIB });
  });

  it('waits for a stalled guest where that is wanted, up to the time limit', async () => {
    host.convergence = 'busy';
    const options = { onStall: 'wait', timeoutMs: 60_000 } as const;
    const failed = failure(device().resize(GIB, options));
    await wait(61);
    expect(await failed).toMatchObject({
      code: 'TIMEOUT',
      message: 'vm0: not done after 60 s, at 0 B of 1 GiB: it is busy',
    });
  });

  it('lets a time limit rule over a stall, and shows the stall while it lasts', async () => {
    host.convergence = 'plug-stalled';
    const resize = device().resize(GIB, { timeoutMs: 100_000 });
    const seen: [number, ConvergenceKind][] = [];
    const following = (async () => {
      for await (const { size, convergence } of resize) seen.push([size, convergence]);
    })();
    await wait(50);
    expect(seen).toEqual([
      [0, 'plug-stalled'],
      [0, 'plug-stalled'],
    ]);
    host.convergence = 'busy';
    await wait(1);
    host.convergence = 'under-way';
    host.plug(GIB / 2);
    await wait(40);
    host.plug(GIB);
    await following;
    expect(seen.slice(2)).toEqual([
      [0, 'busy'],
      [GIB / 2, 'under-way'],
      [GIB, 'converged'],
    ]);
  });

  it('ends with a stall before its time where that is wanted', async () => {
    host.convergence = 'plug-stalled';
    const failed = failure(device().resize(GIB, { timeoutMs: 100_000, onStall: 'reject' }));
    await wait(6);
    expect(await failed).toMatchObject({ code: 'STALLED' });
  });

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1000, Number.POSITIVE_INFINITY])(
    'waits for %d ms',
    async (timeoutMs) => {
      let over = false;
      const resize = device().resize(GIB, { timeoutMs });
      void failure(resize).then(() => (over = true));
      await wait(3600);
      expect(over).toBe(false);
      host.plug(GIB);
      await wait(0);
      expect(await resize).toMatchObject({ size: GIB });
    },
  );

  it.each<[object, string]>([
    [{ timeoutMs: Number.NaN }, 'timeoutMs=NaN'],
    [{ timeoutMs: -1 }, 'timeoutMs=-1'],
    [{ timeoutMs: '5' }, 'timeoutMs=(string)'],
    [{ timeoutMs: null }, 'timeoutMs=(object)'],
    [{ onStall: 'never' }, 'onStall=never'],
  ])('refuses %j, and asks for nothing', async (options, why) => {
    const error = await failure(device().resize(GIB, options));
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toContain(why);
    expect(host.requestedSize).toBe(0);
  });

  it('of no time is over at once', async () => {
    const failed = failure(device().resize(GIB, { timeoutMs: 0 }));
    await wait(0);
    expect(await failed).toMatchObject({ code: 'TIMEOUT' });
  });

  it.each(['driver', 'reset'])('counts silence from a %s that came meanwhile', async (what) => {
    host.convergence = what === 'driver' ? 'no-driver' : 'under-way';
    const failed = failure(device().resize(GIB));
    await wait(60);
    if (what === 'reset') {
      host.hub.emit({ type: 'reset', guest: true, kind: 'reboot', cause: 'cf9', count: 1 });
    }
    host.convergence = 'busy';
    let over = false;
    void failed.then(() => (over = true));
    await wait(4);
    expect(over).toBe(false);
    await wait(2);
    expect(await failed).toMatchObject({ code: 'STALLED' });
  });

  it('is superseded by another request', async () => {
    const first = failure(device().resize(GIB));
    await wait(0);
    const second = device().resize('2G');
    await wait(1);
    expect(await first).toMatchObject({
      code: 'SUPERSEDED',
      message: 'vm0: 2 GiB was requested instead of 1 GiB',
    });
    host.plug(2 * GIB);
    await second;
  });

  it('fails when the machine ends, or has', async () => {
    const failed = failure(device().resize(GIB));
    await wait(0);
    host.vmStatus = 'ended';
    host.hub.end();
    await wait(0);
    expect(await failed).toMatchObject({ code: 'ENDED', message: /ended at 0 B of 1 GiB/ });
    expect(await failure(device().resize(GIB))).toMatchObject({ code: 'ENDED' });
  });

  it('is given up by its signal, with its reason, and leaves no listener', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const removed = vi.spyOn(signal, 'removeEventListener');
    const failed = failure(device().resize(GIB, { signal, timeoutMs: 1000 }));
    await wait(0);
    controller.abort(new Error('enough'));
    expect(await failed).toMatchObject({ message: 'enough' });
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
    await wait(10);
    expect(await failure(device().resize(GIB, { signal }))).toMatchObject({ message: 'enough' });
  });

  it('passes on that the machine cannot be reached', async () => {
    host.state = () => Promise.reject(new Error('gone'));
    expect(await failure(device().resize(GIB))).toMatchObject({ message: 'gone' });
  });
});
