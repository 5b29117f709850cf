import type { PciBarInfo, PciFunctionInfo, VirtioDeviceInfo } from '../../machine/control.ts';
import { className } from '../../monitor/pci-class.ts';
import { featureTexts, isStarted, statusTexts } from '../../monitor/virtio-names.ts';
import { genericError, QmpError, quoted } from '../error.ts';
import type { ReturnOf } from '../schema/commands.ts';
import { findObject } from './arguments.ts';
import type { Handlers, QmpContext } from './handler.ts';

type PciDevice = ReturnOf<'query-pci'>[number]['devices'][number];
type Features = ReturnOf<'x-query-virtio-status'>['guest-features'];

/** What the protocol calls the address of a BAR that has none. */
const NOT_PLACED = -1;
/** Bytes that a used ring is aligned to (virtio 1.3 §2.7). */
const USED_RING_ALIGNMENT = 4;

function describeBar(bar: PciBarInfo): PciDevice['regions'][number] {
  const { index, kind, addr: address = NOT_PLACED, size, prefetchable } = bar;
  if (kind === 'io') return { bar: index, type: 'io', address, size };
  const width = { mem_type_64: kind === 'mem64', prefetch: prefetchable };
  return { bar: index, type: 'memory', address, size, ...width };
}

function describeFunction(it: PciFunctionInfo): PciDevice {
  const { subsystem, interrupt } = it;
  return {
    bus: it.bus,
    slot: it.device,
    function: it.function,
    class_info: { desc: className(it.classCode), class: it.classCode },
    id: {
      device: it.deviceId,
      vendor: it.vendorId,
      ...(subsystem && { subsystem: subsystem.id, 'subsystem-vendor': subsystem.vendorId }),
    },
    ...(interrupt && { irq: interrupt.line }),
    irq_pin: interrupt?.pin ?? 0,
    qdev_id: it.id,
    regions: it.bars.map(describeBar),
  };
}

function describeFeatures(features: bigint, deviceType: number): Features {
  const { transport, device, unknown } = featureTexts(features, deviceType);
  const bits = unknown.reduce((all, bit) => all | (1n << BigInt(bit)), 0n);
  const named = { transports: transport, 'dev-features': device };
  return bits === 0n ? named : { ...named, 'unknown-dev-features': bits };
}

/** What is the same for all devices that are in this process, and on PCI without the legacy interface. */
function withoutBackend(deviceType: number) {
  return {
    'vhost-started': false,
    'backend-features': describeFeatures(0n, deviceType),
    disabled: false,
    'use-started': true,
    'start-on-kick': false,
    'disable-legacy-check': false,
    'bus-name': 'virtio-bus',
    'use-guest-notifier-mask': true,
  };
}

async function findVirtio(context: QmpContext, path: string): Promise<VirtioDeviceInfo> {
  const node = findObject(context, path.replace(/\/virtio-backend$/, ''));
  const devices = (await context.control.inspect()).virtioDevices();
  const found = devices.find((each) => each.path === node.path);
  if (found !== undefined) return found;
  throw new QmpError('DeviceNotFound', `${quoted(path)} is no virtio device`);
}

export const deviceHandlers: Handlers<
  'query-pci' | 'x-query-virtio' | 'x-query-virtio-status' | 'x-query-virtio-queue-status'
> = {
  'query-pci': (_args, { control }) => {
    const functions = control.pciFunctions();
    const buses = [...new Set(functions.map(({ bus }) => bus))];
    return buses.map((bus) => {
      const devices = functions.filter((it) => it.bus === bus).map(describeFunction);
      return { bus, devices };
    });
  },

  'x-query-virtio': async (_args, { control }) => {
    const devices = (await control.inspect()).virtioDevices();
    return devices.map(({ path, name }) => ({ path, name }));
  },

  'x-query-virtio-status': async ({ path }, context) => {
    const device = await findVirtio(context, path);
    const { name, deviceType, status, needsReset } = device;
    return {
      name,
      'device-id': deviceType,
      'device-endian': 'little',
      'num-vqs': device.queues.length,
      status: { statuses: statusTexts(status) },
      'guest-features': describeFeatures(device.acceptedFeatures, deviceType),
      'host-features': describeFeatures(device.offeredFeatures, deviceType),
      ...withoutBackend(deviceType),
      isr: device.isr,
      'queue-sel': device.queueSelect,
      'vm-running': context.control.status().running,
      started: isStarted(status),
      broken: needsReset !== undefined,
      ...(needsReset === undefined ? {} : { 'x-tsvmm-broken-because': needsReset }),
    };
  },

  'x-query-virtio-queue-status': async ({ path, queue: index }, context) => {
    const { name, queues } = await findVirtio(context, path);
    const queue = queues[index];
    if (queue === undefined) {
      throw genericError(`Invalid virtqueue number ${index}: the driver has set up none`);
    }
    const { broken } = queue;
    return {
      name,
      'queue-index': index,
      inuse: queue.inFlight,
      'used-idx': queue.nextUsed,
      'last-avail-idx': queue.nextAvail,
      'vring-num': queue.size,
      'vring-num-default': queue.sizeLimit,
      'vring-align': USED_RING_ALIGNMENT,
      'vring-desc': queue.desc,
      'vring-avail': queue.avail,
      'vring-used': queue.used,
      'signalled-used': 0,
      'signalled-used-valid': false,
      'x-tsvmm-requests': queue.requests,
      ...(broken === undefined ? {} : { 'x-tsvmm-broken-because': broken }),
    };
  },
};
