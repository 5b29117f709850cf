import type { VirtioPci } from '../../virtio/pci-transport/virtio-pci.ts';
import type { SplitQueueInfo } from '../../virtio/split-queue.ts';
import { devicePath } from '../memory-objects.ts';
import type { VirtioDeviceInfo, VirtioQueueInfo } from './inspection.ts';

/** virtio 1.3 §5: device types. */
const DEVICE_NAMES: Readonly<Record<number, string>> = {
  1: 'virtio-net',
  2: 'virtio-blk',
  3: 'virtio-console',
  4: 'virtio-rng',
  5: 'virtio-balloon',
  24: 'virtio-mem',
};

function queueInfo(
  queue: SplitQueueInfo | undefined,
  sizeLimit: number,
): VirtioQueueInfo | undefined {
  if (queue === undefined) return undefined;
  const { index, size, addresses, nextAvail, nextUsed, inFlight, requests, broken } = queue;
  const { descriptors: desc, avail, used } = addresses;
  const rings = { index, size, sizeLimit, desc, avail, used };
  const info = { ...rings, nextAvail, nextUsed, inFlight, requests };
  return broken === undefined ? info : { ...info, broken };
}

/** A virtio device, as far as its driver has set it up. */
export function virtioDeviceInfo({ info }: VirtioPci): VirtioDeviceInfo {
  const { id, deviceType, status, offeredFeatures, acceptedFeatures, needsReset } = info;
  return {
    path: devicePath(id),
    name: DEVICE_NAMES[deviceType] ?? `virtio device of type ${deviceType}`,
    deviceType,
    status,
    offeredFeatures,
    acceptedFeatures,
    isr: info.isr,
    queueSelect: info.queueSelect,
    ...(needsReset === undefined ? {} : { needsReset }),
    queues: info.queues.map((queue, index) => queueInfo(queue, info.queueSizes[index] ?? 0)),
  };
}
