import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConvergenceEvent, MachineEvent, ViolationEvent } from '../machine/events.ts';
import { FakeMachine } from '../monitor/testing/fake-machine.ts';
import { GIB } from '../units.ts';
import { EventSource } from './event-source.ts';

let machine: FakeMachine;
let told: unknown[];

function source(intervalMs = 0): EventSource {
  return new EventSource({
    control: machine,
    intervalMs,
    publish: ({ event }) => told.push(event),
  });
}

beforeEach(() => {
  machine = new FakeMachine();
  told = [];
});

const size = (bytes: number): MachineEvent => ({
  type: 'memory-device-size',
  id: 'vm1',
  size: bytes,
  path: '/machine/peripheral/vm1',
});
const data = (bytes: number): object => ({
  id: 'vm1',
  size: bytes,
  'qom-path': '/machine/peripheral/vm1',
});

const convergence = (state: ConvergenceEvent['state'], bytes: number): MachineEvent => ({
  type: 'memory-device-convergence',
  id: 'vm1',
  path: '/machine/peripheral/vm1',
  state,
  reason: 'busy',
  cause: 'the host is busy',
  size: bytes,
  requestedSize: 2 * GIB,
});
const violation = (count: number): ViolationEvent => ({
  type: 'violation',
  id: 'vm1',
  path: '/machine/peripheral/vm1',
  vcpu: 2,
  gpa: 0x3_4000_0000,
  rip: 0xffff_ffff_8100_0000n,
  access: 'write',
  action: 'stop',
  count,
});

describe('EventSource', () => {
  it.each<[MachineEvent, object]>([
    [{ type: 'stop' }, { event: 'STOP', data: {} }],
    [{ type: 'resume' }, { event: 'RESUME', data: {} }],
    [{ type: 'powerdown' }, { event: 'POWERDOWN', data: {} }],
    [
      { type: 'reset', guest: true, kind: 'triple-fault', cause: 'triple fault', count: 7 },
      {
        event: 'RESET',
        data: {
          ...{ guest: true, reason: 'guest-reset' },
          ...{ 'x-tsvmm-kind': 'triple-fault', 'x-tsvmm-count': 7 },
        },
      },
    ],
    [
      { type: 'reset', guest: false, kind: 'monitor', cause: 'system_reset', count: 1 },
      {
        event: 'RESET',
        data: {
          ...{ guest: false, reason: 'host-qmp-system-reset' },
          ...{ 'x-tsvmm-kind': 'monitor', 'x-tsvmm-count': 1 },
        },
      },
    ],
  ])('tells of %j', (happened, event) => {
    source().happened(happened);
    expect(told).toEqual([event]);
  });

  it.each([
    ['power-off', true, 'guest-shutdown'],
    ['reboot', true, 'guest-reset'],
    ['quit', false, 'host-qmp-quit'],
    ['signal', false, 'host-signal'],
    ['failed', false, 'host-error'],
  ])('calls the end by %s (guest: %s) %s', (cause, guest, reason) => {
    source().happened({ type: 'shutdown', guest, cause });
    expect(told).toEqual([{ event: 'SHUTDOWN', data: { guest, reason } }]);
  });

  it('calls a guest that cannot go on panicked, and says what it said', () => {
    const events = source();
    events.happened({ type: 'guest-fault', report: ['vCPU 0 cannot go on', 'RAX=0'] });
    events.happened({ type: 'shutdown', guest: true, cause: 'failed' });
    expect(told).toEqual([
      {
        event: 'GUEST_PANICKED',
        data: { action: 'poweroff', 'x-tsvmm-report': ['vCPU 0 cannot go on', 'RAX=0'] },
      },
      { event: 'SHUTDOWN', data: { guest: true, reason: 'guest-panic' } },
    ]);
  });

  it('tells of sizes', () => {
    const events = source();
    events.happened(size(GIB / 2));
    events.happened(size(GIB));
    expect(told).toEqual([
      { event: 'MEMORY_DEVICE_SIZE_CHANGE', data: data(GIB / 2) },
      { event: 'MEMORY_DEVICE_SIZE_CHANGE', data: data(GIB) },
    ]);
  });

  it.each([
    ['converged', 'X_TSVMM_MEMORY_DEVICE_CONVERGED'],
    ['stalled', 'X_TSVMM_MEMORY_DEVICE_STALLED'],
    ['resumed', 'X_TSVMM_MEMORY_DEVICE_RESUMED'],
  ] as const)('tells that a device has %s, and why', (state, event) => {
    source().happened(convergence(state, GIB));
    const more = { 'requested-size': 2 * GIB, reason: 'busy', cause: 'the host is busy' };
    expect(told).toEqual([{ event, data: { ...data(GIB), ...more } }]);
  });

  it('tells of violations: who, where, by what, and what follows', () => {
    source().happened(violation(3));
    expect(told).toEqual([
      {
        event: 'X_TSVMM_MEMORY_DEVICE_VIOLATION',
        data: {
          id: 'vm1',
          'qom-path': '/machine/peripheral/vm1',
          'cpu-index': 2,
          gpa: 0x3_4000_0000,
          rip: 0xffff_ffff_8100_0000n,
          access: 'write',
          action: 'stop',
          count: 3,
        },
      },
    ]);
  });

  it('keeps to itself what leaves a size as it was', () => {
    const events = source();
    events.happened(size(GIB));
    expect(told).toEqual([]);
    events.happened(size(0));
    events.happened(size(0));
    expect(told).toEqual([{ event: 'MEMORY_DEVICE_SIZE_CHANGE', data: data(0) }]);
  });

  it('tells the last size before the end of the machine', () => {
    const events = source(3_600_000);
    for (const bytes of [1, 2, 3]) events.happened(size(bytes));
    events.happened({ type: 'shutdown', guest: true, cause: 'power-off' });
    expect(told).toMatchObject([{ data: data(1) }, { data: data(3) }, { event: 'SHUTDOWN' }]);
  });
});

describe('within an interval', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('the first violation and the latest are told, which counts them all', () => {
    const events = source(1000);
    for (let count = 1; count <= 10_000; count++) events.happened(violation(count));
    vi.advanceTimersByTime(3000);
    expect(told).toMatchObject([{ data: { count: 1 } }, { data: { count: 10_000 } }]);
  });

  it('a guest that goes to and fro is told of twice', () => {
    const events = source(1000);
    for (let round = 0; round < 1000; round++) {
      events.happened(convergence('converged', 2 * GIB));
      events.happened(convergence('stalled', round));
    }
    vi.advanceTimersByTime(3000);
    expect(told).toMatchObject([
      { event: 'X_TSVMM_MEMORY_DEVICE_CONVERGED' },
      { event: 'X_TSVMM_MEMORY_DEVICE_STALLED', data: { size: 999 } },
    ]);
  });

  it('the size that a device has come to is told before that it has', () => {
    const events = source(1000);
    for (const bytes of [GIB / 2, 2 * GIB]) events.happened(size(bytes));
    events.happened(convergence('converged', 2 * GIB));
    expect(told).toMatchObject([
      { event: 'MEMORY_DEVICE_SIZE_CHANGE', data: { size: GIB / 2 } },
      { event: 'MEMORY_DEVICE_SIZE_CHANGE', data: { size: 2 * GIB } },
      { event: 'X_TSVMM_MEMORY_DEVICE_CONVERGED', data: { size: 2 * GIB } },
    ]);
  });

  it('what waits is told before the end of the machine', () => {
    const events = source(1000);
    for (const count of [1, 2]) events.happened(violation(count));
    events.happened({ type: 'shutdown', guest: false, cause: 'quit' });
    vi.advanceTimersByTime(3000);
    expect(told).toMatchObject([{ data: { count: 1 } }, { data: { count: 2 } }, {}]);
    expect(told.at(-1)).toMatchObject({ event: 'SHUTDOWN' });
  });
});
