import { beforeEach, describe, expect, it } from 'vitest';
import type { MachineEvent } from '../machine/events.ts';
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

describe('EventSource', () => {
  it.each<[MachineEvent, object]>([
    [{ type: 'stop' }, { event: 'STOP', data: {} }],
    [{ type: 'resume' }, { event: 'RESUME', data: {} }],
    [{ type: 'powerdown' }, { event: 'POWERDOWN', data: {} }],
    [
      { type: 'reset', guest: true, cause: 'cf9' },
      { event: 'RESET', data: { guest: true, reason: 'guest-reset' } },
    ],
    [
      { type: 'reset', guest: false, cause: 'system_reset' },
      { event: 'RESET', data: { guest: false, reason: 'host-qmp-system-reset' } },
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

  it('calls a guest that cannot go on panicked', () => {
    source().happened({ type: 'shutdown', guest: true, cause: 'failed' });
    expect(told).toEqual([
      { event: 'GUEST_PANICKED', data: { action: 'poweroff' } },
      { event: 'SHUTDOWN', data: { guest: true, reason: 'guest-panic' } },
    ]);
  });

  it('tells of sizes, and of the one that was requested', () => {
    const events = source();
    events.happened(size(GIB / 2));
    events.happened(size(GIB));
    expect(told).toEqual([
      { event: 'MEMORY_DEVICE_SIZE_CHANGE', data: data(GIB / 2) },
      { event: 'MEMORY_DEVICE_SIZE_CHANGE', data: data(GIB) },
      { event: 'X_TSVMM_MEMORY_DEVICE_CONVERGED', data: data(GIB) },
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
