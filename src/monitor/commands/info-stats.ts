import { ConfigError } from '../../errors.ts';
import type { StatGroup, StatValue } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines, printable } from '../text.ts';

/** `s`, `ms`, `us`, `ns` by the exponent of the seconds. */
const SECONDS: Readonly<Record<number, string>> = { 0: 's', [-3]: 'ms', [-6]: 'us', [-9]: 'ns' };

function describeValue({ name, type, unit, exponent = 0, value }: StatValue): string {
  const suffix = unit === undefined ? '' : `, ${SECONDS[exponent] ?? `10^${exponent} s`}`;
  // Of a histogram what was seen: bucket n goes up to 2^n.
  const text =
    typeof value === 'number'
      ? String(value)
      : value.flatMap((count, at) => (count === 0 ? [] : [`[${at}]=${count}`])).join(' ');
  return `    ${name} (${type}${suffix}): ${text}`.trimEnd();
}

function describeGroup({ name, values }: StatGroup): string[] {
  return [name, 'provider: tsvmm', ...values.map(describeValue)];
}

export const infoStats: MonitorCommand = {
  name: 'info stats',
  parameters: [{ name: 'target', optional: true }],
  summary: 'show what was counted, of the devices (target vm), the vCPUs (vcpu), or both',
  details:
    'Of a device: requests by answer, reminders sent after answers of BUSY, requests by queue (since ' +
    'the driver started), and how long requests of each kind took from the moment they were taken up: ' +
    'the longest, and their number by powers of two, where `[12]=5` are five of 2^11 to 2^12 ns (STATE is timed one time in sixteen). Of a vCPU: ' +
    'how often it left the guest, by what for (port, MMIO, an interruption by a signal, anything else, ' +
    'a failure), how many of these waited for an answer of the event loop; and the processor time of its ' +
    'thread. The time inside the guest is part of the user time, and 0 on hosts that do not account for it.',
  run: async (args, { control }) => {
    const target = args.optional('target');
    if (target !== undefined && target !== 'vm' && target !== 'vcpu') {
      throw new ConfigError('BAD_VALUE', `target=${printable(target, 20)}: must be vm or vcpu`);
    }
    const groups = (await control.inspect()).stats();
    return lines(
      groups
        .filter((group) => target === undefined || group.target === target)
        .flatMap(describeGroup),
    );
  },
};
