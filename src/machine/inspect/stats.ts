import { readFileSync } from 'node:fs';
import type { Vcpu } from '../../kvm/vcpu.ts';
import type { LatencyHistogram } from '../../virtio/latency-histogram.ts';
import { cpuPath } from '../cpu-objects.ts';
import type { Machine } from '../machine.ts';
import type { MemoryDevice } from '../memory-devices.ts';
import { devicePath } from '../memory-objects.ts';
import type { StatGroup, StatValue } from './inspection.ts';

/** proc(5): times are in ticks of 1/100 s on x86; fields are counted from behind the name. */
const MS_PER_TICK = 10;
const FIELD = { userTime: 11, systemTime: 12, guestTime: 40 } as const;

function counter(name: string, value: number): StatValue {
  return { name, type: 'cumulative', value };
}

/** How long requests of one kind took: their number by powers of two, and the longest. */
function latencies(kind: string, histogram: LatencyHistogram): readonly StatValue[] {
  const inNs = { unit: 'seconds', exponent: -9 } as const;
  const value = histogram.powersOfTwo;
  return [
    { name: `${kind}-latency`, type: 'log2-histogram', ...inNs, value },
    { name: `${kind}-latency-max`, type: 'peak', ...inNs, value: histogram.summary.maxNs },
  ];
}

/** Times of a thread, in milliseconds of processor; empty when it is gone. */
export function threadTimes(stat: string): readonly StatValue[] {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const time = (name: string, field: number): StatValue => {
    const value = Number(fields[field] ?? 0) * MS_PER_TICK;
    return { name, type: 'cumulative', unit: 'seconds', exponent: -3, value };
  };
  return [
    time('guest-time', FIELD.guestTime),
    // The guest's time is part of the user time.
    time('user-time', FIELD.userTime),
    time('system-time', FIELD.systemTime),
  ];
}

function vcpuTimes(threadId: number): readonly StatValue[] {
  try {
    return threadTimes(readFileSync(`/proc/self/task/${threadId}/stat`, 'utf8'));
  } catch {
    return [];
  }
}

/** Returns from the guest by what they were for, and how many the event loop had to answer. */
function vcpuExits(vcpu: Vcpu): readonly StatValue[] {
  return Object.entries(vcpu.exitCounts()).map(([name, value]: [string, number]) =>
    counter(`exits-${name}`, value),
  );
}

function deviceStats({ device }: MemoryDevice, requests: readonly number[]): StatGroup {
  const { ack, nack, busy, error } = device.answers;
  const values = [
    counter('requests-ack', ack),
    counter('requests-nack', nack),
    counter('requests-busy', busy),
    counter('requests-error', error),
    counter('nudges', device.nudges),
    ...requests.map((value, queue) => counter(`queue-${queue}-requests`, value)),
    ...Object.entries(device.latencies).flatMap(([kind, each]) => latencies(kind, each)),
  ];
  return { name: device.id, path: devicePath(device.id), target: 'vm', values };
}

/** What the machine counted since it was started. */
export function machineStats(machine: Machine): readonly StatGroup[] {
  const devices = machine.memoryDevices.map((device, index) => {
    const queues = machine.transports[index]?.info.queues ?? [];
    return deviceStats(
      device,
      queues.map((queue) => queue?.requests ?? 0),
    );
  });
  const vcpus = machine.shell.vcpus.all.map((vcpu): StatGroup => {
    const { id, threadId } = vcpu;
    const values = [...vcpuExits(vcpu), ...vcpuTimes(threadId)];
    return { name: `vcpu ${id}`, path: cpuPath(id), target: 'vcpu', values };
  });
  return [...devices, ...vcpus];
}
