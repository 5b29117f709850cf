import { PAGE_SIZE } from '../../units.ts';

/*
 * Where the structures of a device lie. Each has its page, so that the guest's mappings and our
 * ranges of MMIO do not share one.
 *
 *   BAR 0  0x0000  common configuration
 *          0x1000  ISR status
 *          0x2000  device configuration
 *          0x3000  notifications: four bytes per queue
 *   BAR 1  0x0000  MSI-X table, then its pending bits
 */
export const STRUCTURES_BAR = 0;
export const COMMON_OFFSET = 0x0000;
export const ISR_OFFSET = 0x1000;
export const DEVICE_OFFSET = 0x2000;
export const NOTIFY_OFFSET = 0x3000;
export const STRUCTURES_BAR_SIZE = 4 * PAGE_SIZE;

/** Bytes between the notification addresses of two queues. */
export const NOTIFY_MULTIPLIER = 4;
/** As many as have a notification address. */
export const MAX_QUEUES = PAGE_SIZE / NOTIFY_MULTIPLIER;

/** Bytes of struct virtio_pci_common_cfg (virtio 1.3 §4.1.4.3). */
export const COMMON_SIZE = 64;
export const ISR_SIZE = 1;

export const MSIX_BAR = 1;
export const MSIX_TABLE_OFFSET = 0;

/** Offset of the pending bits behind the table, and bytes of the BAR. */
export function msixLayout(vectors: number): { readonly pbaOffset: number; readonly size: number } {
  const pbaOffset = 16 * vectors;
  const end = pbaOffset + 8 * Math.ceil(vectors / 64);
  return { pbaOffset, size: Math.max(PAGE_SIZE, 2 ** Math.ceil(Math.log2(end))) };
}
