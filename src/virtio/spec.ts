/*
 * Constants of virtio 1.3, spelled as the standard spells them. Those of one device type are in
 * the folder of that device.
 */

// Device status (§2.1).
export const VIRTIO_STATUS_ACKNOWLEDGE = 1;
export const VIRTIO_STATUS_DRIVER = 2;
export const VIRTIO_STATUS_DRIVER_OK = 4;
export const VIRTIO_STATUS_FEATURES_OK = 8;
export const VIRTIO_STATUS_DEVICE_NEEDS_RESET = 64;
export const VIRTIO_STATUS_FAILED = 128;

// Feature bits that belong to queues and transports (§2.2, §6). Here as masks.
export const VIRTIO_F_INDIRECT_DESC = 1n << 28n;
export const VIRTIO_F_EVENT_IDX = 1n << 29n;
export const VIRTIO_F_VERSION_1 = 1n << 32n;

// Split virtqueue (§2.7).
export const VIRTQ_DESC_F_NEXT = 1;
export const VIRTQ_DESC_F_WRITE = 2;
export const VIRTQ_DESC_F_INDIRECT = 4;
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
export const VIRTQ_USED_F_NO_NOTIFY = 1;
/** Bytes of struct virtq_desc. */
export const VIRTQ_DESC_SIZE = 16;
/** §2.7: the largest queue, a power of two. */
export const VIRTQ_MAX_SIZE = 32768;
/** §2.7.5.2: bytes a chain may have in all. */
export const VIRTQ_MAX_CHAIN_BYTES = 2 ** 32;

// PCI (§4.1).
export const VIRTIO_PCI_VENDOR_ID = 0x1af4;
/** Plus the device type (§4.1.2.1). */
export const VIRTIO_PCI_DEVICE_ID_BASE = 0x1040;
/** §4.1.2.1: a device without the legacy interface has 1 or more. */
export const VIRTIO_PCI_REVISION = 1;
export const VIRTIO_PCI_CAP_COMMON_CFG = 1;
export const VIRTIO_PCI_CAP_NOTIFY_CFG = 2;
export const VIRTIO_PCI_CAP_ISR_CFG = 3;
export const VIRTIO_PCI_CAP_DEVICE_CFG = 4;
export const VIRTIO_PCI_CAP_PCI_CFG = 5;
/** §4.1.4.3: no vector for this event. */
export const VIRTIO_MSI_NO_VECTOR = 0xffff;
// ISR status bits (§4.1.4.5).
export const VIRTIO_PCI_ISR_QUEUE = 1;
export const VIRTIO_PCI_ISR_CONFIG = 2;
