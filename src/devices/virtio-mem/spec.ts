/* Constants of the memory device, spelled as in virtio 1.3 §5.15 and linux/virtio_mem.h. */

export const VIRTIO_ID_MEM = 24;
/** Maximum size of the one queue. */
export const QUEUE_SIZE = 128;

export const VIRTIO_MEM_F_ACPI_PXM = 1n << 0n;
export const VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE = 1n << 1n;

export const VIRTIO_MEM_REQ_PLUG = 0;
export const VIRTIO_MEM_REQ_UNPLUG = 1;
export const VIRTIO_MEM_REQ_UNPLUG_ALL = 2;
export const VIRTIO_MEM_REQ_STATE = 3;

export const VIRTIO_MEM_RESP_ACK = 0;
export const VIRTIO_MEM_RESP_NACK = 1;
export const VIRTIO_MEM_RESP_BUSY = 2;
export const VIRTIO_MEM_RESP_ERROR = 3;

export const VIRTIO_MEM_STATE_PLUGGED = 0;
export const VIRTIO_MEM_STATE_UNPLUGGED = 1;
export const VIRTIO_MEM_STATE_MIXED = 2;

/** Bytes of struct virtio_mem_req, virtio_mem_resp and virtio_mem_config. */
export const REQUEST_SIZE = 24;
export const RESPONSE_SIZE = 10;
export const CONFIG_SIZE = 56;
