import { readFileSync } from 'node:fs';
import type { Machine } from '../machine.ts';
import type { StatGroup } from './inspection.ts';

/** proc(5): times are in ticks of 1/100 s on x86; fields are counted from behind the name. */
const MS_PER_TICK = 10;
const FIELD = { userTime: 11, systemTime: 12, guestTime: 40 } as const;

/** Times of a thread, in milliseconds of processor; empty when it is gone. */
export function threadTimes(stat: string): StatGroup['values'] {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ms = (field: number): number => Number(fields[field] ?? 0) * MS_PER_TICK;
  return [
    { name: 'guest-time-ms', value: ms(FIELD.guestTime) },
    // The guest's time is part of the user time.
    { name: 'user-time-ms', value: ms(FIELD.userTime) },
    { name: 'system-time-ms', value: ms(FIELD.systemTime) },
  ];
}

function vcpuStats(id: number, threadId: number): StatGroup {
  const name = `vcpu ${id}`;
  try {
    const stat = readFileSync(`/proc/self/task/${threadId}/stat`, 'utf8');
    return { name, target: 'vcpu', values: threadTimes(stat) };
  } catch {
    return { name, target: 'vcpu', values: [] };
  }
}

/** What the machine counted since it was started. */
export function machineStats(machine: Machine): readonly StatGroup[] {
  const devices = machine.memoryDevices.map(({ device }, index): StatGroup => {
    const { ack, nack, busy, error } = device.answers;
    const queues = machine.transports[index]?.info.queues ?? [];
    return {
      name: device.id,
      target: 'vm',
      values: [
        { name: 'requests-ack', value: ack },
        { name: 'requests-nack', value: nack },
        { name: 'requests-busy', value: busy },
        { name: 'requests-error', value: error },
        { name: 'nudges', value: device.nudges },
        ...queues.map((queue, at) => ({
          name: `queue-${at}-requests`,
          value: queue?.requests ?? 0,
        })),
      ],
    };
  });
  const { all } = machine.shell.vcpus;
  return [...devices, ...all.map(({ id, threadId }) => vcpuStats(id, threadId))];
}
