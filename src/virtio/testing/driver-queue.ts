import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';
import { alignUp } from '../../units.ts';
import type { RingAddresses } from '../ring-memory.ts';
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
  VIRTQ_USED_F_NO_NOTIFY,
} from '../spec.ts';

/** A buffer that the driver offers. */
export interface DriverBuffer {
  readonly gpa: number;
  /** Bytes. */
  readonly length: number;
  /** The device may write, not read. */
  readonly writable: boolean;
}

/** A descriptor as it lies in memory; what is left out is 0. */
export interface RawDescriptor {
  readonly gpa?: number | bigint;
  readonly length?: number;
  readonly flags?: number;
  readonly next?: number;
}

export interface UsedBuffer {
  readonly head: number;
  readonly writtenBytes: number;
}

export interface DriverQueueOptions {
  readonly memory: GuestMemoryAccess;
  /** Where the rings go, a multiple of 16; they take `DriverQueue.bytes(size)`. */
  readonly gpa: number;
  readonly size: number;
  /** Accepted features: INDIRECT_DESC and EVENT_IDX matter. */
  readonly features: bigint;
  /** Called when the device wants a kick. */
  readonly kick?: () => void;
}

/** Bytes from one request of `send` to the next. */
const SLOT_BYTES = 512;

/**
 * The driver's side of a split virtqueue, for tests: offers buffers, kicks where the device wants
 * it, collects what was used. It can also put down what no sane driver would.
 */
export class DriverQueue {
  readonly size: number;
  readonly addresses: RingAddresses;
  readonly #memory: GuestMemoryAccess;
  readonly #descriptors: DataView;
  readonly #avail: DataView;
  readonly #used: DataView;
  readonly #eventIdx: boolean;
  readonly #indirect: boolean;
  readonly #kick: () => void;
  readonly #slots: number;
  readonly #free: number[];
  readonly #owned = new Map<number, number[]>();
  #nextAvail = 0;
  #nextUsed = 0;
  /** How often the device was kicked. */
  kicks = 0;

  /** Bytes of memory that a queue takes: rings, then a slot per descriptor for `send`. */
  static bytes(size: number): number {
    return ringBytes(size) + size * SLOT_BYTES;
  }

  constructor({ memory, gpa, size, features, kick }: DriverQueueOptions) {
    const avail = gpa + size * VIRTQ_DESC_SIZE;
    const used = alignUp(avail + 6 + 2 * size, 4);
    this.size = size;
    this.addresses = { descriptors: gpa, avail, used };
    this.#memory = memory;
    this.#descriptors = mustView(memory, gpa, size * VIRTQ_DESC_SIZE);
    this.#avail = mustView(memory, avail, 6 + 2 * size);
    this.#used = mustView(memory, used, 6 + 8 * size);
    this.#eventIdx = (features & VIRTIO_F_EVENT_IDX) !== 0n;
    this.#indirect = (features & VIRTIO_F_INDIRECT_DESC) !== 0n;
    this.#kick = kick ?? (() => undefined);
    this.#slots = gpa + ringBytes(size);
    this.#free = Array.from({ length: size }, (_, index) => size - 1 - index);
    memory.write(gpa, new Uint8Array(ringBytes(size)), ringBytes(size));
  }

  /** Requests offered and not collected yet. */
  get outstanding(): number {
    return this.#owned.size;
  }

  /** Offers a request and kicks if the device wants that. @returns its head */
  offer(buffers: readonly DriverBuffer[]): number {
    const indexes = buffers.map(() => this.#take());
    indexes.forEach((index, at) => {
      const buffer = buffers[at];
      const next = indexes[at + 1];
      if (buffer === undefined) return;
      const flags =
        (buffer.writable ? VIRTQ_DESC_F_WRITE : 0) | (next === undefined ? 0 : VIRTQ_DESC_F_NEXT);
      this.setDescriptor(index, { ...buffer, flags, next: next ?? 0 });
    });
    return this.#publish(indexes);
  }

  /**
   * Offers `request` and room for a response, in memory of the queue's own (512 bytes for the
   * two): through an indirect table, if that was negotiated, else in two descriptors.
   */
  send(request: Uint8Array, responseLength: number): number {
    const slot = this.#slots + (this.#free.at(-1) ?? 0) * SLOT_BYTES;
    const table = slot + SLOT_BYTES - 2 * VIRTQ_DESC_SIZE;
    if (request.length + responseLength > table - slot) throw new RangeError('too much for a slot');
    this.#memory.write(slot, request, request.length);
    const response = slot + request.length;
    if (!this.#indirect) {
      const buffers = [
        { gpa: slot, length: request.length, writable: false },
        { gpa: response, length: responseLength, writable: true },
      ];
      // The slot belongs to the head, and the head is the descriptor taken first.
      return this.offer(buffers);
    }
    const view = mustView(this.#memory, table, 2 * VIRTQ_DESC_SIZE);
    const first = { gpa: slot, length: request.length, flags: VIRTQ_DESC_F_NEXT, next: 1 };
    putDescriptor(view, 0, first);
    putDescriptor(view, 1, { gpa: response, length: responseLength, flags: VIRTQ_DESC_F_WRITE });
    const head = this.#take();
    const length = 2 * VIRTQ_DESC_SIZE;
    this.setDescriptor(head, { gpa: table, length, flags: VIRTQ_DESC_F_INDIRECT });
    return this.#publish([head]);
  }

  /** What the device has used since the last call, in its order. */
  collect(): UsedBuffer[] {
    const collected: UsedBuffer[] = [];
    while (this.#used.getUint16(2, true) !== this.#nextUsed) {
      const at = 4 + 8 * (this.#nextUsed % this.size);
      const head = this.#used.getUint32(at, true);
      collected.push({ head, writtenBytes: this.#used.getUint32(at + 4, true) });
      this.#free.push(...(this.#owned.get(head) ?? []).reverse());
      this.#owned.delete(head);
      this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
    }
    return collected;
  }

  /** The response to the request of `send` with this head, before its slot is used again. */
  response(head: number, requestLength: number, responseLength: number): Uint8Array {
    const bytes = new Uint8Array(responseLength);
    this.#memory.read(this.#slots + head * SLOT_BYTES + requestLength, bytes, responseLength);
    return bytes;
  }

  /** Whether to be interrupted for the entries that are not used yet, from the next one on. */
  wantInterrupts(wanted: boolean): void {
    if (this.#eventIdx) {
      const event = wanted ? this.#nextUsed : (this.#nextUsed - 1) & 0xffff;
      this.setUsedEvent(event);
    } else {
      this.#avail.setUint16(0, wanted ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT, true);
    }
  }

  setUsedEvent(index: number): void {
    this.#avail.setUint16(4 + 2 * this.size, index, true);
  }

  get availEvent(): number {
    return this.#used.getUint16(4 + 8 * this.size, true);
  }

  get usedFlags(): number {
    return this.#used.getUint16(0, true);
  }

  /** avail.idx. */
  get availIndex(): number {
    return this.#nextAvail;
  }

  /** used.idx. */
  get usedIndex(): number {
    return this.#used.getUint16(2, true);
  }

  setDescriptor(index: number, descriptor: RawDescriptor): void {
    putDescriptor(this.#descriptors, index, descriptor);
  }

  /** Makes a head available, whatever it is, without a kick. */
  offerHead(head: number): void {
    this.#avail.setUint16(4 + 2 * (this.#nextAvail % this.size), head, true);
    this.setAvailIndex((this.#nextAvail + 1) & 0xffff);
  }

  setAvailIndex(index: number): void {
    this.#nextAvail = index;
    this.#avail.setUint16(2, index, true);
  }

  #take(): number {
    const index = this.#free.pop();
    if (index === undefined) throw new Error('no descriptor is free');
    return index;
  }

  #publish(descriptors: number[]): number {
    const head = descriptors[0] ?? 0;
    this.#owned.set(head, descriptors);
    const before = this.#nextAvail;
    this.offerHead(head);
    const wanted = this.#eventIdx
      ? this.availEvent === before
      : (this.usedFlags & VIRTQ_USED_F_NO_NOTIFY) === 0;
    if (wanted) {
      this.kicks += 1;
      this.#kick();
    }
    return head;
  }
}

/** Writes a descriptor into a table. */
export function putDescriptor(table: DataView, index: number, descriptor: RawDescriptor): void {
  const at = index * VIRTQ_DESC_SIZE;
  table.setBigUint64(at, BigInt(descriptor.gpa ?? 0), true);
  table.setUint32(at + 8, descriptor.length ?? 0, true);
  table.setUint16(at + 12, descriptor.flags ?? 0, true);
  table.setUint16(at + 14, descriptor.next ?? 0, true);
}

function ringBytes(size: number): number {
  return alignUp(alignUp(size * VIRTQ_DESC_SIZE + 6 + 2 * size, 4) + 6 + 8 * size, 16);
}

function mustView(memory: GuestMemoryAccess, gpa: number, length: number): DataView {
  const view = memory.view(gpa, length);
  if (view === undefined) throw new RangeError(`no memory at ${gpa}`);
  return view;
}
