import { readU64 } from '../../bytes.ts';
import {
  VIRTIO_MEM_REQ_PLUG,
  VIRTIO_MEM_REQ_STATE,
  VIRTIO_MEM_REQ_UNPLUG,
  VIRTIO_MEM_REQ_UNPLUG_ALL,
} from './spec.ts';

export type RequestType = 'plug' | 'unplug' | 'unplug-all' | 'state';

/** A decoded request. One record is reused: requests are served one at a time. */
export interface Request {
  type: RequestType;
  /** gpa, as the guest gave it: 2^53 and more stays larger than any valid address. */
  addr: number;
  /** Blocks, 0 to 65535. */
  count: number;
}

/**
 * Decodes struct virtio_mem_req.
 *
 * @param view  24 bytes
 * @returns whether the type is known; `into` is filled then
 * @see virtio 1.3 §5.15.6
 */
export function decodeRequest(view: DataView, into: Request): boolean {
  switch (view.getUint16(0, true)) {
    case VIRTIO_MEM_REQ_PLUG:
      into.type = 'plug';
      break;
    case VIRTIO_MEM_REQ_UNPLUG:
      into.type = 'unplug';
      break;
    case VIRTIO_MEM_REQ_UNPLUG_ALL:
      into.type = 'unplug-all';
      break;
    case VIRTIO_MEM_REQ_STATE:
      into.type = 'state';
      break;
    default:
      return false;
  }
  into.addr = readU64(view, 8);
  into.count = view.getUint16(16, true);
  return true;
}
