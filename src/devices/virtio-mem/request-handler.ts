import { messageOf } from '../../errors.ts';
import { log } from '../../log.ts';
import type { MemoryHolds } from '../../memory/memory-holds.ts';
import { GuestLog } from '../../virtio/guest-log.ts';
import type { DeviceSizes } from './device-sizes.ts';
import type { PluggedMemory } from './plugged-memory.ts';
import type { VirtioMemProperties } from './properties.ts';
import type { Request } from './request.ts';
import {
  VIRTIO_MEM_RESP_ACK,
  VIRTIO_MEM_RESP_BUSY,
  VIRTIO_MEM_RESP_ERROR,
  VIRTIO_MEM_RESP_NACK,
  VIRTIO_MEM_STATE_MIXED,
  VIRTIO_MEM_STATE_PLUGGED,
  VIRTIO_MEM_STATE_UNPLUGGED,
} from './spec.ts';

const logger = log('virtio-mem');

export interface RequestHandlerOptions {
  readonly properties: VirtioMemProperties;
  readonly memory: PluggedMemory;
  readonly sizes: DeviceSizes;
  readonly holds: MemoryHolds;
  /** The next answer is BUSY, and why. */
  readonly onBusy: (cause: string) => void;
  /** The plugged size has changed, or the usable region. */
  readonly onChange: () => void;
}

/**
 * Decides about requests and carries them out, one at a time (virtio 1.3 §5.15.6). Answers are
 * VIRTIO_MEM_RESP_*; whatever fails on the host is undone, logged and answered BUSY.
 */
export class RequestHandler {
  readonly #options: RequestHandlerOptions;
  /** A guest that asks again and again gets one line a second. */
  readonly #log = new GuestLog(logger);
  #state = 0;
  #held = 0;
  #heldNow = false;

  constructor(options: RequestHandlerOptions) {
    this.#options = options;
  }

  /** Requests answered BUSY since memory was held. */
  get held(): number {
    return this.#held;
  }

  /** Whether the last request that would have changed memory was. */
  get isHeld(): boolean {
    return this.#heldNow;
  }

  /** @returns whether a request was refused for a hold since the last call */
  takeHeld(): boolean {
    const held = this.#heldNow;
    this.#heldNow = false;
    return held;
  }

  /** VIRTIO_MEM_STATE_* when the last request asked for it and was answered ACK, else 0. */
  get state(): number {
    return this.#state;
  }

  /** @returns the answer, or a promise of it where the host needs time; never throws or rejects */
  handle({ type, addr, count }: Request): number | Promise<number> {
    this.#state = 0;
    switch (type) {
      case 'plug':
        return this.#plug(addr, count);
      case 'unplug':
        return this.#unplug(addr, count);
      case 'unplug-all':
        return this.#unplugAll();
      case 'state':
        return this.#queryState(addr, count);
    }
  }

  #plug(addr: number, count: number): number | Promise<number> {
    const { memory, sizes, properties } = this.#options;
    if (!sizes.isValidRange(addr, count)) return VIRTIO_MEM_RESP_ERROR;
    const first = sizes.blockOf(addr);
    // A must, whatever else is wrong with it; how much it asks for is only then a question.
    if (!memory.map.isAllUnplugged(first, count)) return VIRTIO_MEM_RESP_ERROR;
    const asked = count * properties.blockSize;
    if (memory.pluggedSize + asked > sizes.requested) return VIRTIO_MEM_RESP_NACK;
    return this.#change('plug', () => memory.plug(first, count));
  }

  #unplug(addr: number, count: number): number | Promise<number> {
    const { memory, sizes } = this.#options;
    if (!sizes.isValidRange(addr, count)) return VIRTIO_MEM_RESP_ERROR;
    const first = sizes.blockOf(addr);
    if (!memory.map.isAllPlugged(first, count)) return VIRTIO_MEM_RESP_ERROR;
    return this.#change('unplug', () => memory.unplug(first, count));
  }

  #unplugAll(): number | Promise<number> {
    const { memory, sizes, holds, onChange } = this.#options;
    if (memory.map.plugged === 0 && holds.reason !== undefined) {
      // Memory stays as it is, so whoever holds it need not be asked.
      sizes.recompute();
      onChange();
      return VIRTIO_MEM_RESP_ACK;
    }
    return this.#change(
      'unplug-all',
      () => memory.unplugAll(),
      () => sizes.recompute(),
    );
  }

  #queryState(addr: number, count: number): number {
    const { memory, sizes } = this.#options;
    if (!sizes.isValidRange(addr, count)) return VIRTIO_MEM_RESP_ERROR;
    const first = sizes.blockOf(addr);
    this.#state = VIRTIO_MEM_STATE_MIXED;
    if (memory.map.isAllPlugged(first, count)) this.#state = VIRTIO_MEM_STATE_PLUGGED;
    else if (memory.map.isAllUnplugged(first, count)) this.#state = VIRTIO_MEM_STATE_UNPLUGGED;
    return VIRTIO_MEM_RESP_ACK;
  }

  /** Runs memory work: BUSY when the host cannot do it now. @param success  comes before the answer */
  #change(
    what: string,
    work: () => void | Promise<void>,
    success?: () => void,
  ): number | Promise<number> {
    const { memory, holds, onChange } = this.#options;
    if (holds.reason !== undefined) return this.#refuse(what, holds.reason);
    const before = memory.pluggedSize;
    const failed = (error: unknown): number => {
      this.#busy(what, messageOf(error));
      // It is the same, unless what failed could not be undone.
      if (memory.pluggedSize !== before) onChange();
      return VIRTIO_MEM_RESP_BUSY;
    };
    const done = (): number => {
      success?.();
      onChange();
      return VIRTIO_MEM_RESP_ACK;
    };
    try {
      const later = work();
      return later === undefined ? done() : later.then(done, failed);
    } catch (error) {
      return failed(error);
    }
  }

  /** Somebody relies on memory as it is. */
  #refuse(what: string, reason: string): number {
    this.#held += 1;
    this.#heldNow = true;
    this.#busy(what, `memory is held for ${reason}`);
    return VIRTIO_MEM_RESP_BUSY;
  }

  #busy(what: string, cause: string): void {
    const { onBusy, properties } = this.#options;
    onBusy(cause);
    this.#log.warn({ id: properties.id, request: what, error: cause }, 'answered BUSY');
  }
}
