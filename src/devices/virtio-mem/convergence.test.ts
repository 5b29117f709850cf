import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../../units.ts';
import { ConvergenceWatch } from './convergence.ts';

const growing = { requestedSize: 2 * GIB, pluggedSize: GIB };
const shrinking = { requestedSize: 0, pluggedSize: GIB };

function watch(): ConvergenceWatch {
  const result = new ConvergenceWatch(0);
  result.driverChanged(true, 0);
  return result;
}

describe('ConvergenceWatch', () => {
  it('is content when the size is as requested, driver or not', () => {
    const result = new ConvergenceWatch(0).diagnose({ requestedSize: 0, pluggedSize: 0, nowMs: 9 });
    expect(result).toEqual({ kind: 'converged', cause: 'size is as requested', forMs: 0 });
  });

  it('says of memory that is there no more than is known', () => {
    const { kind, cause } = watch().diagnose({ requestedSize: 8, pluggedSize: 8, nowMs: 9 });
    expect(kind).toBe('converged');
    expect(cause).toMatch(
      /^size is as requested: it is plugged; whether it is online, only the guest/,
    );
  });

  it('says since when it is not', () => {
    const it = watch();
    it.resized(1_000);
    expect(it.diagnose({ ...growing, nowMs: 1_700 })).toMatchObject({
      kind: 'not-asked',
      forMs: 700,
    });
  });

  it('misses the driver', () => {
    expect(new ConvergenceWatch(0).diagnose({ ...growing, nowMs: 0 }).kind).toBe('no-driver');
    const left = watch();
    left.driverChanged(false, 0);
    expect(left.diagnose({ ...growing, nowMs: 0 }).kind).toBe('no-driver');
  });

  it('names the cause of a BUSY until a request goes through', () => {
    const it = watch();
    it.busyBecause('all 509 memslots are in use');
    it.answered('busy', 10);
    const busy = it.diagnose({ ...growing, nowMs: 60_000 });
    expect(busy).toMatchObject({
      kind: 'busy',
      cause: 'answered BUSY: all 509 memslots are in use',
    });
    it.answered('ack', 60_001);
    expect(it.diagnose({ ...growing, nowMs: 60_002 }).kind).toBe('under-way');
  });

  it('knows of a region whose ends fill no memory block of the guest', () => {
    const fit = { blockSize: 128 * MIB, usableSize: GIB };
    const it = new ConvergenceWatch(0, fit);
    it.driverChanged(true, 0);
    it.answered('ack', 1);
    const wanted = { requestedSize: GIB + 64 * MIB, nowMs: 60_000 };
    const causeWith = (pluggedSize: number) => it.diagnose({ ...wanted, pluggedSize });
    expect(causeWith(GIB)).toMatchObject({
      kind: 'plug-stalled',
      cause:
        'the guest asks for nothing: Linux adds memory in whole blocks of 128 MiB, which the last 64 MiB of the region do not fill',
    });
    expect(causeWith(GIB - MIB).cause).toMatch(/blocks that are not online/);
    expect(causeWith(0).cause).toMatch(/has nothing yet/);
  });

  it('tells NACK and ERROR apart', () => {
    const it = watch();
    it.answered('nack', 1);
    expect(it.diagnose({ ...growing, nowMs: 2 }).kind).toBe('nack');
    it.answered('error', 3);
    expect(it.diagnose({ ...growing, nowMs: 4 }).kind).toBe('error');
  });

  it('suspects by direction when the guest goes quiet', () => {
    const it = watch();
    it.answered('ack', 1);
    expect(it.diagnose({ ...growing, nowMs: 4_000 }).kind).toBe('under-way');
    expect(it.diagnose({ ...growing, nowMs: 6_000 }).kind).toBe('plug-stalled');
    expect(it.diagnose({ ...shrinking, nowMs: 6_000 }).kind).toBe('unplug-stalled');
  });

  it.each([
    ['driver that starts late', (it: ConvergenceWatch) => it.driverChanged(true, 60_000)],
    ['driver that starts again', (it: ConvergenceWatch) => it.driverChanged(true, 60_000)],
    ['guest that was held', (it: ConvergenceWatch) => it.resumed(60_000)],
    ['new request', (it: ConvergenceWatch) => it.resized(60_000)],
  ])('gives a %s as long as any', (what, begin) => {
    const it = new ConvergenceWatch(0);
    if (what !== 'driver that starts late') {
      it.driverChanged(true, 0);
      it.answered('ack', 1_000);
    }
    if (what === 'driver that starts again') it.driverChanged(false, 50_000);
    begin(it);
    const kind = (nowMs: number): string => it.diagnose({ ...growing, nowMs }).kind;
    expect(kind(60_300)).toMatch(/not-asked|under-way/);
    expect(kind(64_999)).toMatch(/not-asked|under-way/);
    expect(kind(65_000)).toBe('plug-stalled');
    it.answered('ack', 66_000);
    expect(kind(66_001)).toBe('under-way');
  });

  it('does not suspect a guest that has nothing of holding it', () => {
    const it = watch();
    const empty = { ...growing, pluggedSize: 0, nowMs: 6_000 };
    expect(it.diagnose({ ...growing, nowMs: 6_000 }).cause).toContain('may hold about 1 GiB');
    expect(it.diagnose(empty)).toMatchObject({
      kind: 'plug-stalled',
      cause: 'the guest asks for nothing, and has nothing yet; its log may say why',
    });
  });
});
