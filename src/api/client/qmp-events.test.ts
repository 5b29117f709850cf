import { describe, expect, it } from 'vitest';
import { EventSource } from '../../qmp/event-source.ts';
import { parseJson } from '../../qmp/json/parse.ts';
import { isJsonObject } from '../../qmp/json/value.ts';
import { writeJson } from '../../qmp/json/write.ts';
import type { VmEvent } from '../event-hub.ts';
import { vmEvent } from './qmp-events.ts';

const vm0 = { id: 'vm0', path: '/machine/peripheral/vm0' };

/** What a client in another process makes of what happens here, as it comes over the wire. */
function overTheWire(happened: VmEvent): readonly (VmEvent | undefined)[] {
  const seen: (VmEvent | undefined)[] = [];
  const source = new EventSource({
    control: { memoryDevices: () => [] },
    intervalMs: 0,
    publish: ({ event: { event, data } }) => {
      const parsed = parseJson(writeJson(data));
      if (isJsonObject(parsed)) seen.push(vmEvent(event, parsed));
    },
  });
  source.happened(happened);
  return seen;
}

describe('vmEvent', () => {
  it.each<VmEvent>([
    { type: 'stop' },
    { type: 'resume' },
    { type: 'powerdown' },
    { type: 'guest-fault', report: ['vCPU 0 cannot go on', 'RAX=0'] },
    { type: 'memory-device-size', ...vm0, size: 2 ** 40 },
    ...(['stalled', 'resumed', 'converged'] as const).map((state): VmEvent => {
      const why = { reason: 'unplug-stalled', cause: 'it is in use' } as const;
      const sizes = { size: 5, requestedSize: 3 };
      return { type: 'memory-device-convergence', ...vm0, state, ...why, ...sizes };
    }),
    ...[0x10_0000n, 0xffff_ffff_8123_4567n].map((rip): VmEvent => {
      const what = { access: 'write', action: 'reset', count: 3 } as const;
      return { type: 'violation', ...vm0, vcpu: 1, gpa: 2 ** 40, rip, ...what };
    }),
  ])('is what happened in the other process: %o', (event) => {
    expect(overTheWire(event)).toEqual([event]);
  });

  it('keeps the reasons of the protocol for resets and the end', () => {
    const reset = { type: 'reset', guest: true, kind: 'reboot', count: 3 } as const;
    expect(overTheWire({ ...reset, cause: 'cf9' })).toEqual([{ ...reset, cause: 'guest-reset' }]);
    expect(overTheWire({ type: 'shutdown', guest: false, cause: 'quit' })).toEqual([
      { type: 'shutdown', guest: false, cause: 'host-qmp-quit' },
    ]);
  });

  it('makes nothing of events that it does not know', () => {
    expect(vmEvent('BLOCK_JOB_READY', { device: 'x' })).toBeUndefined();
  });

  it('refuses one that lacks what it must have', () => {
    expect(() => vmEvent('MEMORY_DEVICE_SIZE_CHANGE', { id: 'vm0' })).toThrow('no qom-path');
    expect(() => vmEvent('MEMORY_DEVICE_SIZE_CHANGE', { id: 'vm0', 'qom-path': '' })).toThrow(
      'no size',
    );
  });
});
