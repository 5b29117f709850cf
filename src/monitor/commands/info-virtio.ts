import { ConfigError } from '../../errors.ts';
import type { MachineControl, VirtioDeviceInfo } from '../../machine/control.ts';
import { hex } from '../../units.ts';
import type { CommandContext, MonitorCommand } from '../command.ts';
import { findObject, objectTree } from '../object-tree.ts';
import { lines, printable } from '../text.ts';

/** virtio 1.3 §2.1. */
const STATUS_BITS = [
  [1, 'VIRTIO_CONFIG_S_ACKNOWLEDGE', 'the guest has seen the device'],
  [2, 'VIRTIO_CONFIG_S_DRIVER', 'the guest has a driver for it'],
  [8, 'VIRTIO_CONFIG_S_FEATURES_OK', 'features are agreed on'],
  [4, 'VIRTIO_CONFIG_S_DRIVER_OK', 'the driver is ready'],
  [64, 'VIRTIO_CONFIG_S_NEEDS_RESET', 'the device cannot go on without a reset'],
  [128, 'VIRTIO_CONFIG_S_FAILED', 'the driver has given the device up'],
] as const;
const DRIVER_OK = 4;

interface FeatureBit {
  readonly bit: number;
  readonly name: string;
  readonly meaning: string;
}

/** virtio 1.3 §6, and those of the device types there are (§5.15.3). */
const COMMON_FEATURES: readonly FeatureBit[] = [
  { bit: 28, name: 'VIRTIO_F_RING_INDIRECT_DESC', meaning: 'descriptors may be in tables' },
  { bit: 29, name: 'VIRTIO_F_RING_EVENT_IDX', meaning: 'notifications by index' },
  { bit: 32, name: 'VIRTIO_F_VERSION_1', meaning: 'virtio 1, not the legacy interface' },
];
const DEVICE_FEATURES: Readonly<Record<number, readonly FeatureBit[]>> = {
  24: [
    { bit: 0, name: 'VIRTIO_MEM_F_ACPI_PXM', meaning: 'nodes are ACPI proximity domains' },
    {
      bit: 1,
      name: 'VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE',
      meaning: 'unplugged memory must not be touched',
    },
    { bit: 2, name: 'VIRTIO_MEM_F_PERSISTENT_SUSPEND', meaning: 'plugged over suspend' },
  ],
};

/** Names of the bits; numbers for those without one. */
function describeFeatures(features: bigint, deviceType: number): string[] {
  const known = [...(DEVICE_FEATURES[deviceType] ?? []), ...COMMON_FEATURES];
  const texts: string[] = [];
  for (let bit = 0; features >> BigInt(bit) > 0n; bit++) {
    if (((features >> BigInt(bit)) & 1n) === 0n) continue;
    const feature = known.find((each) => each.bit === bit);
    texts.push(feature === undefined ? `bit ${bit}` : `${feature.name}: ${feature.meaning}`);
  }
  return texts;
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
  const bits = STATUS_BITS.filter(([bit]) => (status & bit) !== 0);
  return [
    `${device.path}:`,
    `  device_name:             ${device.name}`,
    `  device_id:               ${deviceType}`,
    `  broken:                  ${needsReset !== undefined}`,
    ...(needsReset === undefined ? [] : [`  broken_because:          ${printable(needsReset)}`]),
    `  started:                 ${(status & DRIVER_OK) !== 0}`,
    `  vm_running:              ${running}`,
    `  num_vqs:                 ${device.queues.length}`,
    '  endianness:              little',
    '  status:',
    ...listed(bits.map(([, name, meaning]) => `${name}: ${meaning}`)),
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
