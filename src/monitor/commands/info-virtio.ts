import { ConfigError } from '../../errors.ts';
import type { MachineControl, VirtioDeviceInfo } from '../../machine/control.ts';
import { hex } from '../../units.ts';
import type { CommandContext, MonitorCommand } from '../command.ts';
import { findObject, objectTree } from '../object-tree.ts';
import { lines, printable } from '../text.ts';
import { featureTexts, isStarted, statusTexts } from '../virtio-names.ts';

/** Names of the bits; numbers for those without one. */
function describeFeatures(features: bigint, deviceType: number): readonly string[] {
  const { device, transport, unknown } = featureTexts(features, deviceType);
  return [...device, ...transport, ...unknown.map((bit) => `bit ${bit}`)];
}

/** A list as these commands write it: a tab in front, commas in between. */
function listed(texts: readonly string[]): string[] {
  return texts.map((text, index) => `\t${text}${index < texts.length - 1 ? ',' : ''}`);
}

/** @throws ConfigError when the path names no virtio device */
async function findDevice({ control }: CommandContext, path: string): Promise<VirtioDeviceInfo> {
  const name = path.replace(/\/virtio-backend$/, '');
  const { path: full } = findObject(objectTree(control.objects()), name);
  const device = (await virtioDevices(control)).find((each) => each.path === full);
  if (device !== undefined) return device;
  throw new ConfigError('NO_OBJECT', `${printable(path)} is no virtio device; try info virtio`);
}

async function virtioDevices(control: MachineControl): Promise<readonly VirtioDeviceInfo[]> {
  return (await control.inspect()).virtioDevices();
}

export const infoVirtio: MonitorCommand = {
  name: 'info virtio',
  summary: 'list the virtio devices by their paths',
  run: async (_args, { control }) =>
    lines((await virtioDevices(control)).map(({ path, name }) => `${path} [${name}]`)),
};

function describeStatus(device: VirtioDeviceInfo, running: boolean): string[] {
  const { status, deviceType, needsReset } = device;
  return [
    `${device.path}:`,
    `  device_name:             ${device.name}`,
    `  device_id:               ${deviceType}`,
    `  broken:                  ${needsReset !== undefined}`,
    ...(needsReset === undefined ? [] : [`  broken_because:          ${printable(needsReset)}`]),
    `  started:                 ${isStarted(status)}`,
    `  vm_running:              ${running}`,
    `  num_vqs:                 ${device.queues.length}`,
    '  endianness:              little',
    '  status:',
    ...listed(statusTexts(status)),
    '  Guest features:',
    ...listed(describeFeatures(device.acceptedFeatures, deviceType)),
    '  Host features:',
    ...listed(describeFeatures(device.offeredFeatures, deviceType)),
  ];
}

export const infoVirtioStatus: MonitorCommand = {
  name: 'info virtio-status',
  parameters: [{ name: 'path', kind: 'path' }],
  summary: "show a virtio device's status and features",
  run: async (args, context) => {
    const device = await findDevice(context, args.required('path'));
    return lines(describeStatus(device, context.control.status().running));
  },
};

export const infoVirtioQueueStatus: MonitorCommand = {
  name: 'info virtio-queue-status',
  parameters: [{ name: 'path', kind: 'path' }, { name: 'queue' }],
  summary: 'show where a queue of a virtio device stands, as: info virtio-queue-status vm0 0',
  run: async (args, context) => {
    const device = await findDevice(context, args.required('path'));
    const text = args.required('queue');
    const index = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    if (!(index < device.queues.length)) {
      const message = `queue=${printable(text, 20)}: ${device.path} has queues 0 to ${device.queues.length - 1}`;
      throw new ConfigError('BAD_VALUE', message);
    }
    const queue = device.queues[index];
    if (queue === undefined) {
      throw new ConfigError('NO_QUEUE', `${device.path}: the driver has not set up queue ${index}`);
    }
    return lines([
      `${device.path}:`,
      `  device_name:          ${device.name}`,
      `  queue_index:          ${index}`,
      `  inuse:                ${queue.inFlight}`,
      `  used_idx:             ${queue.nextUsed}`,
      `  last_avail_idx:       ${queue.nextAvail}`,
      `  requests:             ${queue.requests}`,
      ...(queue.broken === undefined ? [] : [`  broken_because:       ${printable(queue.broken)}`]),
      '  VRing:',
      `    num:         ${queue.size}`,
      `    desc:        ${hex(queue.desc)}`,
      `    avail:       ${hex(queue.avail)}`,
      `    used:        ${hex(queue.used)}`,
    ]);
  },
};
