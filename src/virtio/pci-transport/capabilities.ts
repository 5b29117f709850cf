import type { PciCapability } from '../../pci/capability.ts';
import {
  VIRTIO_PCI_CAP_COMMON_CFG,
  VIRTIO_PCI_CAP_DEVICE_CFG,
  VIRTIO_PCI_CAP_ISR_CFG,
  VIRTIO_PCI_CAP_NOTIFY_CFG,
} from '../spec.ts';
import {
  COMMON_OFFSET,
  COMMON_SIZE,
  DEVICE_OFFSET,
  ISR_OFFSET,
  ISR_SIZE,
  NOTIFY_MULTIPLIER,
  NOTIFY_OFFSET,
  STRUCTURES_BAR,
} from './layout.ts';

export const PCI_CAP_ID_VENDOR = 0x09;

/** Fields of struct virtio_pci_cap, as offsets in the capability (virtio 1.3 §4.1.4). */
export const VIRTIO_PCI_CAP = { len: 2, type: 3, bar: 4, offset: 8, length: 12, end: 16 } as const;

interface Structure {
  readonly type: number;
  readonly offset: number;
  readonly length: number;
  /** Bytes that follow struct virtio_pci_cap, as one u32. */
  readonly extra?: number;
}

/** Body of a capability: from offset 2 on. */
export function capabilityBody({ type, offset, length, extra }: Structure): Uint8Array {
  const size = VIRTIO_PCI_CAP.end + (extra === undefined ? 0 : 4);
  const view = new DataView(new ArrayBuffer(size));
  view.setUint8(VIRTIO_PCI_CAP.len, size);
  view.setUint8(VIRTIO_PCI_CAP.type, type);
  view.setUint8(VIRTIO_PCI_CAP.bar, STRUCTURES_BAR);
  view.setUint32(VIRTIO_PCI_CAP.offset, offset, true);
  view.setUint32(VIRTIO_PCI_CAP.length, length, true);
  if (extra !== undefined) view.setUint32(VIRTIO_PCI_CAP.end, extra, true);
  return new Uint8Array(view.buffer, 2);
}

/**
 * The capabilities that say where the structures are (virtio 1.3 §4.1.4). One for the device
 * configuration only where the device has any.
 */
export function structureCapabilities(queues: number, configSize: number): PciCapability[] {
  const structures: Structure[] = [
    { type: VIRTIO_PCI_CAP_COMMON_CFG, offset: COMMON_OFFSET, length: COMMON_SIZE },
    {
      type: VIRTIO_PCI_CAP_NOTIFY_CFG,
      offset: NOTIFY_OFFSET,
      length: NOTIFY_MULTIPLIER * queues,
      extra: NOTIFY_MULTIPLIER,
    },
    { type: VIRTIO_PCI_CAP_ISR_CFG, offset: ISR_OFFSET, length: ISR_SIZE },
  ];
  if (configSize > 0) {
    structures.push({ type: VIRTIO_PCI_CAP_DEVICE_CFG, offset: DEVICE_OFFSET, length: configSize });
  }
  return structures.map((structure) => ({
    id: PCI_CAP_ID_VENDOR,
    body: capabilityBody(structure),
  }));
}
