import { messageOf } from '../errors.ts';
import { log } from '../log.ts';
import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import { hex } from '../units.ts';
import { ConfigWatch } from './config-watch.ts';
import type { VirtioDevice, VirtioHost } from './device.ts';
import { GuestLog } from './guest-log.ts';
import { QueueRegisters } from './queue-registers.ts';
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  VIRTIO_STATUS_ACKNOWLEDGE,
  VIRTIO_STATUS_DEVICE_NEEDS_RESET,
  VIRTIO_STATUS_DRIVER,
  VIRTIO_STATUS_DRIVER_OK,
  VIRTIO_STATUS_FAILED,
  VIRTIO_STATUS_FEATURES_OK,
} from './spec.ts';
import { SplitQueue, type SplitQueueInfo } from './split-queue.ts';

/** What every device has, whatever it is. */
export const QUEUE_FEATURES = VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;

/** §2.2: feature bits end at 127. */
const FEATURE_WORDS = 4;

/** 32 of a set of features; zeros beyond bit 127. */
export function featureWord(features: bigint, word: number): number {
  return word < FEATURE_WORDS ? Number((features >> BigInt(32 * word)) & 0xffff_ffffn) : 0;
}

/** Bits that a driver sets in the status; the others it cannot. */
const DRIVER_STATUS = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FAILED;

const logger = log('virtio');

/** What the core needs of its transport. */
export interface VirtioTransport {
  /** Tells the driver that a queue has used buffers. */
  queueInterrupt(index: number): void;
  /** Tells the driver that the configuration, or DEVICE_NEEDS_RESET, changed. */
  configInterrupt(): void;
  /**
   * Watching a ring takes the CPU from those who fill it, or them from us.
   *
   * @returns whether that has been mended, so that watching may go on
   */
  crowded(): boolean;
  /** The queues that are enabled want kicks from now on. */
  activated(): void;
  /** The driver's set-up is forgotten: kicks, vectors, interrupts that wait. */
  reset(): void;
}

/** How a device stands, for the monitor. */
export interface VirtioInfo {
  readonly id: string;
  readonly deviceType: number;
  readonly status: number;
  readonly offeredFeatures: bigint;
  readonly acceptedFeatures: bigint;
  /** Why DEVICE_NEEDS_RESET is set. */
  readonly needsReset: string | undefined;
  /** What each queue can have at most. */
  readonly queueSizes: readonly number[];
  /** One per queue; undefined where the driver has none. */
  readonly queues: readonly (SplitQueueInfo | undefined)[];
}

/** Everything that a reset forgets. */
interface CoreState {
  status: number;
  accepted: bigint;
  registers: readonly QueueRegisters[];
  queues: readonly (SplitQueue | undefined)[];
  needsReset: string | undefined;
  /** The configuration changed while the driver was on its way to DRIVER_OK. */
  changePending: boolean;
}

/**
 * The part of a virtio device that is the same for all devices and transports: status, feature
 * negotiation, queues, reset (virtio 1.3 §2.1, §2.2, §3.1).
 */
export class VirtioCore implements VirtioHost {
  readonly device: VirtioDevice;
  readonly offeredFeatures: bigint;
  readonly #memory: GuestMemoryAccess;
  readonly #transport: VirtioTransport;
  readonly #guestLog = new GuestLog(logger);
  readonly #config: ConfigWatch;
  #state: CoreState;
  #serving = true;

  /** Attaches to the device. */
  constructor(device: VirtioDevice, memory: GuestMemoryAccess, transport: VirtioTransport) {
    this.device = device;
    this.offeredFeatures = device.features | QUEUE_FEATURES;
    this.#memory = memory;
    this.#transport = transport;
    this.#config = new ConfigWatch(device);
    this.#state = initialState(device);
    device.attach(this);
  }

  get status(): number {
    return this.#state.status;
  }

  get acceptedFeatures(): bigint {
    return this.#state.accepted;
  }

  /** One per queue of the device. */
  get queueRegisters(): readonly QueueRegisters[] {
    return this.#state.registers;
  }

  /** 0 to 255: another number whenever the configuration changed since this was read before. */
  get configGeneration(): number {
    return this.#config.generation();
  }

  get info(): VirtioInfo {
    const { status, accepted, needsReset, queues } = this.#state;
    return {
      id: this.device.id,
      deviceType: this.device.deviceType,
      status,
      offeredFeatures: this.offeredFeatures,
      acceptedFeatures: accepted,
      needsReset,
      queueSizes: this.device.queueSizes,
      queues: this.device.queueSizes.map((_, index) => queues[index]?.info),
    };
  }

  /**
   * Sets 32 of the accepted features. Ignored once FEATURES_OK is set, and beyond bit 127.
   *
   * @param word  which 32: 0 for bits 0 to 31, 1 for bits 32 to 63, …
   */
  acceptFeatures(word: number, bits: number): void {
    if (word >= FEATURE_WORDS || this.#has(VIRTIO_STATUS_FEATURES_OK)) return;
    const shift = BigInt(32 * word);
    const kept = this.#state.accepted & ~(0xffff_ffffn << shift);
    this.#state.accepted = kept | (BigInt(bits) << shift);
  }

  /** Enables a queue for DRIVER_OK; ignored after that. */
  enableQueue(index: number): void {
    if (!this.#has(VIRTIO_STATUS_DRIVER_OK)) this.#state.registers[index]?.enable();
  }

  /** The driver writes the status. Bits out of order are not taken, and bits stay set until 0. */
  writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    const state = this.#state;
    state.status |= value & DRIVER_STATUS;
    const ready = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
    if ((value & VIRTIO_STATUS_FEATURES_OK) !== 0 && this.#has(ready)) this.#checkFeatures();
    if ((value & VIRTIO_STATUS_DRIVER_OK) !== 0) this.#start();
  }

  /** Forgets everything the driver did; allowed at any time, also while a request is under way. */
  reset(): void {
    for (const queue of this.#state.queues) queue?.stop();
    this.#state = initialState(this.device);
    this.#transport.reset();
    try {
      this.device.reset();
    } catch (error) {
      logger.error({ device: this.device.id, err: error }, 'reset failed');
    }
  }

  /** The driver kicked; from the event loop: requests are served on the caller's stack. */
  kick(index: number): void {
    this.#state.queues[index]?.kick();
  }

  /** The driver kicked, and its vCPU waits for the caller: requests are served soon. */
  kickSoon(index: number): void {
    this.#state.queues[index]?.kickSoon();
  }

  /** Whether queues are served: not while the machine is stopped, nor without bus mastering. */
  setServing(serving: boolean): void {
    if (serving === this.#serving) return;
    this.#serving = serving;
    for (const queue of this.#state.queues) {
      if (serving) queue?.resume();
      else queue?.pause();
    }
  }

  /** The driver lets the device at memory no longer: whatever is under way breaks its queue. */
  withdrawMemory(): void {
    for (const queue of this.#state.queues) queue?.withdraw();
  }

  configChanged(): void {
    this.#config.changed();
    if (this.#has(VIRTIO_STATUS_DRIVER_OK)) this.#transport.configInterrupt();
    else this.#state.changePending = this.#has(VIRTIO_STATUS_DRIVER);
  }

  needsReset(reason: string): void {
    const state = this.#state;
    if (state.needsReset !== undefined) return;
    state.needsReset = reason;
    state.status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
    for (const queue of state.queues) queue?.stop();
    this.#guestLog.warn({ device: this.device.id }, `device needs a reset: ${reason}`);
    if (this.#has(VIRTIO_STATUS_DRIVER_OK)) this.#transport.configInterrupt();
  }

  #has(bits: number): boolean {
    return (this.#state.status & bits) === bits;
  }

  #checkFeatures(): void {
    if (this.#has(VIRTIO_STATUS_FEATURES_OK)) return;
    const refusal = this.#refusal(this.#state.accepted);
    if (refusal === undefined) this.#state.status |= VIRTIO_STATUS_FEATURES_OK;
    else this.#guestLog.warn({ device: this.device.id }, `features refused: ${refusal}`);
  }

  #refusal(accepted: bigint): string | undefined {
    const unknown = accepted & ~this.offeredFeatures;
    if (unknown !== 0n) return `${hex(unknown)} was not offered`;
    if ((accepted & VIRTIO_F_VERSION_1) === 0n) return 'VIRTIO_F_VERSION_1 is not accepted';
    return this.device.refuseFeatures(accepted);
  }

  /** DRIVER_OK. */
  #start(): void {
    if (this.#has(VIRTIO_STATUS_DRIVER_OK)) return;
    if (!this.#has(VIRTIO_STATUS_FEATURES_OK)) {
      this.#guestLog.warn({ device: this.device.id }, 'DRIVER_OK before FEATURES_OK is ignored');
      return;
    }
    const state = this.#state;
    state.status |= VIRTIO_STATUS_DRIVER_OK;
    if (state.needsReset !== undefined) return;
    state.queues = state.registers.map((registers, index) => this.#createQueue(registers, index));
    // A ring that is not memory has just asked for a reset: those made after it are stopped too.
    if (this.#has(VIRTIO_STATUS_DEVICE_NEEDS_RESET)) {
      for (const queue of state.queues) queue?.stop();
      return;
    }
    this.#activate(state);
  }

  #activate(state: CoreState): void {
    this.#transport.activated();
    try {
      this.device.activate({ features: state.accepted, queues: state.queues });
    } catch (error) {
      logger.error({ device: this.device.id, err: error }, 'activation failed');
      this.needsReset(`activation failed: ${messageOf(error)}`);
    }
    if (state.changePending) this.#transport.configInterrupt();
    state.changePending = false;
  }

  #createQueue(registers: QueueRegisters, index: number): SplitQueue | undefined {
    if (!registers.enabled) return undefined;
    const queue = new SplitQueue({
      index,
      size: registers.size,
      addresses: registers.addresses,
      features: this.#state.accepted,
      memory: this.#memory,
      interrupt: () => this.#transport.queueInterrupt(index),
      crowded: () => this.#transport.crowded(),
      broken: (reason) => this.needsReset(reason),
    });
    if (!this.#serving) queue.pause();
    return queue;
  }
}

function initialState(device: VirtioDevice): CoreState {
  return {
    status: 0,
    accepted: 0n,
    registers: device.queueSizes.map((size) => new QueueRegisters(size)),
    queues: [],
    needsReset: undefined,
    changePending: false,
  };
}
