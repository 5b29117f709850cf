import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConvergenceKind } from '../devices/virtio-mem/convergence.ts';
import type { VirtioMemSizes } from '../devices/virtio-mem/device-sizes.ts';
import { ConvergenceReporter, type ConvergenceReport } from './convergence-reporter.ts';

/** A device whose sizes and cause are what a test says, and what was told of it. */
class Rig {
  requestedSize = 0;
  pluggedSize = 0;
  kind: ConvergenceKind = 'under-way';
  isRunning = true;
  readonly told: ConvergenceReport[] = [];
  readonly reporter: ConvergenceReporter;

  constructor(requestedSize = 0) {
    this.requestedSize = requestedSize;
    const sizes = (): VirtioMemSizes => this.sizes;
    const convergence = (): { kind: ConvergenceKind; cause: string; forMs: number } => {
      const kind = this.requestedSize === this.pluggedSize ? 'converged' : this.kind;
      return { kind, cause: `it is ${kind}`, forMs: 0 };
    };
    this.reporter = new ConvergenceReporter({
      device: {
        get sizes() {
          return sizes();
        },
        get convergence() {
          return convergence();
        },
      },
      isRunning: () => this.isRunning,
      tell: (report) => this.told.push(report),
    });
  }

  get sizes(): VirtioMemSizes {
    const { pluggedSize, requestedSize } = this;
    return { requestedSize, pluggedSize, usableSize: 0 };
  }

  get states(): readonly string[] {
    return this.told.map(({ state }) => state);
  }

  request(bytes: number): void {
    this.requestedSize = bytes;
    this.reporter.requested();
  }

  plug(bytes: number): void {
    this.pluggedSize = bytes;
    this.reporter.sizeChanged(this.sizes);
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const wait = (seconds: number): void => void vi.advanceTimersByTime(seconds * 1000);

describe('ConvergenceReporter', () => {
  it('tells when a device becomes as large as was requested', () => {
    const rig = new Rig();
    rig.request(4);
    rig.plug(2);
    expect(rig.told).toEqual([]);
    rig.plug(4);
    expect(rig.told).toEqual([
      {
        state: 'converged',
        reason: 'converged',
        cause: 'it is converged',
        size: 4,
        requestedSize: 4,
      },
    ]);
  });

  it('answers a request for the size that there is', () => {
    const rig = new Rig();
    rig.request(0);
    rig.request(0);
    expect(rig.states).toEqual(['converged', 'converged']);
  });

  it('tells of a guest that does nothing for a while, once, and why', () => {
    const rig = new Rig();
    rig.kind = 'unplug-stalled';
    rig.request(4);
    wait(5);
    expect(rig.told).toEqual([]);
    wait(60);
    expect(rig.told).toEqual([
      {
        state: 'stalled',
        reason: 'unplug-stalled',
        cause: 'it is unplug-stalled',
        size: 0,
        requestedSize: 4,
      },
    ]);
  });

  it('tells again when it is for another reason', () => {
    const rig = new Rig();
    rig.kind = 'busy';
    rig.request(4);
    wait(10);
    rig.kind = 'plug-stalled';
    wait(1);
    expect(rig.told.map(({ reason }) => reason)).toEqual(['busy', 'plug-stalled']);
  });

  it('tells when the guest goes on after all, and stalls again', () => {
    const rig = new Rig();
    rig.kind = 'plug-stalled';
    rig.request(4);
    wait(10);
    rig.plug(1);
    rig.plug(2);
    wait(10);
    rig.plug(4);
    expect(rig.states).toEqual(['stalled', 'resumed', 'stalled', 'converged']);
  });

  it.each<ConvergenceKind>(['no-driver', 'not-asked', 'under-way'])(
    'has patience with a guest that may not have begun: %s',
    (kind) => {
      const rig = new Rig(4);
      rig.kind = kind;
      wait(3600);
      expect(rig.told).toEqual([]);
    },
  );

  it('has patience with a guest that does little', () => {
    const rig = new Rig(1000);
    rig.kind = 'plug-stalled';
    for (let size = 1; size < 100; size++) {
      rig.plug(size);
      wait(4);
    }
    expect(rig.told).toEqual([]);
  });

  it('does not blame a guest that is not let run', () => {
    const rig = new Rig(4);
    rig.kind = 'plug-stalled';
    rig.isRunning = false;
    wait(3600);
    rig.isRunning = true;
    wait(4);
    expect(rig.told).toEqual([]);
    wait(1);
    expect(rig.states).toEqual(['stalled']);
  });

  it('counts from the driver on, however long it took to come', () => {
    const rig = new Rig(4);
    rig.kind = 'no-driver';
    wait(600);
    rig.kind = 'busy';
    wait(4);
    expect(rig.told).toEqual([]);
    wait(1);
    expect(rig.states).toEqual(['stalled']);
  });

  it('looks only while there is something to wait for', () => {
    const rig = new Rig();
    expect(vi.getTimerCount()).toBe(0);
    rig.request(4);
    rig.plug(4);
    rig.plug(3);
    rig.plug(4);
    expect(vi.getTimerCount()).toBe(1);
    wait(1);
    expect(vi.getTimerCount()).toBe(0);
    rig.plug(3);
    rig.reporter.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
