import { REQUEST_SIZE, RESPONSE_SIZE } from '../../devices/virtio-mem/spec.ts';
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { MIB } from '../../units.ts';
import { featureWord, type VirtioCore } from '../../virtio/core.ts';
import type { RingAddresses } from '../../virtio/ring-memory.ts';
import {
  VIRTIO_STATUS_ACKNOWLEDGE,
  VIRTIO_STATUS_DRIVER,
  VIRTIO_STATUS_DRIVER_OK,
  VIRTIO_STATUS_FEATURES_OK,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from '../../virtio/spec.ts';

/** Where the rings are. */
const RINGS: RingAddresses = { descriptors: 0, avail: 0x1000, used: 0x2000 };
/** Each request has a slot of its own, every other one a MiB further: guests' are apart, too. */
const SLOTS = 0x4000;
const SLOT = { bytes: 128, response: 32, table: 64 } as const;
/** Bytes that the driver needs. */
export const DRIVER_BYTES = 2 * MIB;

/** A request for one block. */
export interface MadeUpRequest {
  /** VIRTIO_MEM_REQ_*. */
  readonly type: number;
  readonly gpa: number;
}

/** Plays the driver of a memory device as guests do, with indirect descriptors and without. */
export class MadeUpDriver {
  readonly #core: VirtioCore;
  readonly #view: DataView;
  /** Entries of the queue. */
  #size = 0;
  /** avail.idx. */
  #avail = 0;

  /** To be started. @param memory  DRIVER_BYTES from address 0 on */
  constructor(core: VirtioCore, memory: GuestMemory) {
    const view = memory.view(0, DRIVER_BYTES);
    if (view === undefined) throw new RangeError('the made-up driver has no memory');
    this.#core = core;
    this.#view = view;
  }

  /** Resets the device, accepts all it offers, and sets its queue up. */
  start(): void {
    const core = this.#core;
    core.writeStatus(0);
    core.writeStatus(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (const word of [0, 1]) core.acceptFeatures(word, featureWord(core.offeredFeatures, word));
    core.writeStatus(core.status | VIRTIO_STATUS_FEATURES_OK);
    const registers = core.queueRegisters[0];
    if (registers === undefined) return;
    this.#size = registers.size;
    this.#avail = 0;
    new Uint8Array(this.#view.buffer, this.#view.byteOffset, SLOTS).fill(0);
    for (const area of ['descriptors', 'avail', 'used'] as const) {
      registers.setHalf(area, false, RINGS[area]);
    }
    core.enableQueue(0);
    core.writeStatus(core.status | VIRTIO_STATUS_DRIVER_OK);
  }

  /** Resets the device: what was asked and not answered never will be. */
  stop(): void {
    this.#core.writeStatus(0);
  }

  /** Whether every request has been answered. */
  get isIdle(): boolean {
    return this.#view.getUint16(RINGS.used + 2, true) === this.#avail;
  }

  /** Offers requests, half of the queue's size at the most, and kicks once. */
  send(requests: readonly MadeUpRequest[], indirect: boolean): void {
    requests.forEach((request, at) => {
      this.#describe(2 * at, request, indirect);
      this.#view.setUint16(RINGS.avail + 4 + 2 * (this.#avail % this.#size), 2 * at, true);
      this.#avail = (this.#avail + 1) & 0xffff;
    });
    this.#view.setUint16(RINGS.avail + 2, this.#avail, true);
    this.#core.kick(0);
  }

  #describe(head: number, { type, gpa }: MadeUpRequest, indirect: boolean): void {
    const slot = SLOTS + head * SLOT.bytes + (head % 4 === 0 ? 0 : MIB);
    this.#view.setUint16(slot, type, true);
    this.#putAddress(slot + 8, gpa);
    this.#view.setUint16(slot + 16, 1, true);
    const own = RINGS.descriptors + head * VIRTQ_DESC_SIZE;
    const table = indirect ? slot + SLOT.table : own;
    this.#put(table, slot, REQUEST_SIZE, VIRTQ_DESC_F_NEXT, indirect ? 1 : head + 1);
    const response = slot + SLOT.response;
    this.#put(table + VIRTQ_DESC_SIZE, response, RESPONSE_SIZE, VIRTQ_DESC_F_WRITE, 0);
    if (indirect) this.#put(own, table, 2 * VIRTQ_DESC_SIZE, VIRTQ_DESC_F_INDIRECT, 0);
  }

  #put(at: number, gpa: number, length: number, flags: number, next: number): void {
    this.#putAddress(at, gpa);
    this.#view.setUint32(at + 8, length, true);
    this.#view.setUint16(at + 12, flags, true);
    this.#view.setUint16(at + 14, next, true);
  }

  #putAddress(at: number, gpa: number): void {
    this.#view.setUint32(at, gpa % 2 ** 32, true);
    this.#view.setUint32(at + 4, Math.floor(gpa / 2 ** 32), true);
  }
}
