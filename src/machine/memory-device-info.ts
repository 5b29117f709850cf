import type { MemoryDeviceDetails, MemoryDeviceInfo } from './control.ts';
import type { MemoryDevice } from './memory-devices.ts';
import type { UnpluggedGuard } from './violations/unplugged-guard.ts';

function details(
  { device, container }: MemoryDevice,
  guard: Pick<UnpluggedGuard, 'count' | 'zeroReads'>,
): MemoryDeviceDetails {
  const { memory, latencies } = device;
  return {
    usableSize: device.sizes.usableSize,
    memslots: {
      count: container.slotCount,
      active: container.activeCount,
      total: container.windowCount,
      size: container.windowSize,
    },
    convergence: device.convergence,
    nudges: device.nudges,
    heldRequests: device.heldRequests,
    protection: {
      isOn: memory.isProtected,
      unprotectedBlocks: memory.unprotectedBlocks,
      violations: guard.count(device.id),
      zeroReads: guard.zeroReads(device.id),
    },
    answers: { ...device.answers },
    latencies: {
      plug: latencies.plug.summary,
      unplug: latencies.unplug.summary,
      'unplug-all': latencies['unplug-all'].summary,
      state: latencies.state.summary,
    },
  };
}

/** What monitors show of a memory device. */
export function memoryDeviceInfo(
  memory: MemoryDevice,
  guard: Pick<UnpluggedGuard, 'count' | 'zeroReads'>,
): MemoryDeviceInfo {
  const { id, memaddr, node, size, blockSize } = memory.device.properties;
  const { requestedSize, pluggedSize } = memory.device.sizes;
  return {
    type: 'virtio-mem',
    id,
    memaddr,
    node,
    requestedSize,
    size: pluggedSize,
    maxSize: size,
    blockSize,
    memdev: memory.memdevPath,
    details: () => details(memory, guard),
  };
}
