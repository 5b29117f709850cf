import type { MemoryDeviceDetails, MemoryDeviceInfo } from '../../machine/control.ts';
import { hex } from '../../units.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

const UNITS = ['ns', 'us', 'ms', 's'] as const;

/** `2.13 us`: three digits, in the unit that keeps them short. */
function duration(ns: number): string {
  let value = ns;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  // Without digits behind the point that say nothing, and without an exponent.
  return `${Number(value.toPrecision(3))} ${UNITS[unit] ?? ''}`;
}

function convergence({ cause, forMs }: MemoryDeviceDetails['convergence']): string {
  return forMs === 0 ? cause : `${cause} (for ${Math.round(forMs / 1000)} s)`;
}

type Latency = MemoryDeviceDetails['latencies']['plug'];

function latency({ count, medianNs, p99Ns, maxNs }: Latency): string {
  if (count === 0) return 'none timed';
  const times = `median ${duration(medianNs)}, p99 ${duration(p99Ns)}, max ${duration(maxNs)}`;
  return `${times} (${count} timed)`;
}

function describeDetails(details: MemoryDeviceDetails): string[] {
  const { memslots, protection, answers } = details;
  const { ack, nack, busy, error } = answers;
  return [
    `  usable-size: ${details.usableSize}`,
    `  memslots: ${memslots.count} in ${memslots.active} of ${memslots.total} windows`,
    `  memslot-size: ${memslots.size}`,
    `  convergence: ${convergence(details.convergence)}`,
    `  nudges: ${details.nudges}`,
    `  protect-unplugged: ${protection.isOn ? 'on' : 'off'}`,
    `  unprotected-blocks: ${protection.unprotectedBlocks}`,
    `  violations: ${protection.violations}`,
    `  zero-reads: ${protection.zeroReads}`,
    `  requests: ack ${ack}, nack ${nack}, busy ${busy}, error ${error}`,
    `  held-requests: ${details.heldRequests}`,
    ...Object.entries(details.latencies).map(
      ([request, each]) => `  ${request}-latency: ${latency(each)}`,
    ),
  ];
}

function describeDevice(device: MemoryDeviceInfo, verbose: boolean): string[] {
  return [
    `Memory device [${device.type}]: "${device.id}"`,
    `  memaddr: ${hex(device.memaddr)}`,
    `  node: ${device.node}`,
    `  requested-size: ${device.requestedSize}`,
    `  size: ${device.size}`,
    `  max-size: ${device.maxSize}`,
    `  block-size: ${device.blockSize}`,
    `  memdev: ${device.memdev}`,
    ...(verbose ? describeDetails(device.details()) : []),
  ];
}

export const infoMemoryDevices: MonitorCommand = {
  name: 'info memory-devices',
  parameters: [{ name: '-v', optional: true }],
  summary: 'show the memory devices (-v: and why a size is not yet as requested)',
  details:
    'With `-v` also: what the guest can plug at most now; memslots, those that KVM has and all there can ' +
    'be; whether the size is what was requested, and if not, since when and why, as far as it can be told; ' +
    'reminders sent to the driver; whether unplugged memory is out of its reach, and how often it was used ' +
    'all the same; requests by answer, those among the BUSY ones that found memory held, and how long ' +
    'requests of each kind took from the moment they were taken up (STATE, the quickest, is timed one ' +
    'time in sixteen).',
  run: (args, { control }) =>
    lines(control.memoryDevices().flatMap((device) => describeDevice(device, args.has('-v')))),
};
