import { messageOf } from '../../errors.ts';
import { log } from '../../log.ts';
import type { DescriptorChain, SplitQueue } from '../../virtio/split-queue.ts';
import type { VirtioActivation, VirtioDevice, VirtioHost } from '../../virtio/device.ts';
import { ConfigSpace, usableSizeFor } from './config.ts';
import { ConvergenceWatch, type Convergence } from './convergence.ts';
import { Nudge } from './nudge.ts';
import type { PluggedMemory } from './plugged-memory.ts';
import { checkRequestedSize, type VirtioMemProperties } from './properties.ts';
import { decodeRequest, type Request } from './request.ts';
import {
  CONFIG_SIZE,
  QUEUE_SIZE,
  REQUEST_SIZE,
  RESPONSE_SIZE,
  VIRTIO_ID_MEM,
  VIRTIO_MEM_F_ACPI_PXM,
  VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE,
  VIRTIO_MEM_RESP_ACK,
  VIRTIO_MEM_RESP_BUSY,
  VIRTIO_MEM_RESP_ERROR,
  VIRTIO_MEM_RESP_NACK,
  VIRTIO_MEM_STATE_MIXED,
  VIRTIO_MEM_STATE_PLUGGED,
  VIRTIO_MEM_STATE_UNPLUGGED,
} from './spec.ts';

const logger = log('virtio-mem');

/** Sizes of a device in bytes, as the monitor shows them. */
export interface VirtioMemSizes {
  readonly requestedSize: number;
  readonly pluggedSize: number;
  readonly usableSize: number;
}

/** How many requests got which answer. */
export interface VirtioMemAnswers {
  ack: number;
  nack: number;
  busy: number;
  error: number;
}

const ANSWER_NAMES: readonly (keyof VirtioMemAnswers)[] = ['ack', 'nack', 'busy', 'error'];

/**
 * The memory device (virtio 1.3 §5.15): hands blocks of its region to the guest and takes them back
 * as the guest asks for it, up to the requested size.
 */
export class VirtioMem implements VirtioDevice {
  readonly deviceType = VIRTIO_ID_MEM;
  /** Memory controller, RAM. */
  readonly pciClass = 0x05_0000;
  readonly queueSizes = [QUEUE_SIZE];
  readonly configSize = CONFIG_SIZE;
  readonly features: bigint;
  readonly properties: VirtioMemProperties;
  readonly memory: PluggedMemory;
  readonly answers: VirtioMemAnswers = { ack: 0, nack: 0, busy: 0, error: 0 };
  readonly #config = new ConfigSpace();
  readonly #request: Request = { type: 'state', addr: 0, count: 0 };
  readonly #requestBytes = new Uint8Array(REQUEST_SIZE);
  readonly #requestView = new DataView(this.#requestBytes.buffer);
  readonly #responseBytes = new Uint8Array(RESPONSE_SIZE);
  readonly #responseView = new DataView(this.#responseBytes.buffer);
  readonly #convergence = new ConvergenceWatch(performance.now());
  readonly #nudge = new Nudge(() => this.#host?.configChanged());
  readonly #sizeListeners = new Set<() => void>();
  #host: VirtioHost | undefined;
  #queue: SplitQueue | undefined;
  #requestedSize: number;
  #usableSize: number;
  /** Memory work under way, which outlives a reset of the device by its driver. */
  #work: Promise<unknown> | undefined;

  constructor(properties: VirtioMemProperties, memory: PluggedMemory) {
    this.properties = properties;
    this.memory = memory;
    this.features =
      (properties.hasNuma ? VIRTIO_MEM_F_ACPI_PXM : 0n) |
      (properties.unpluggedInaccessible ? VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE : 0n);
    this.#requestedSize = properties.requestedSize;
    this.#usableSize = this.#usableFor(this.#requestedSize);
    this.#config.update({
      blockSize: properties.blockSize,
      node: properties.node,
      addr: properties.memaddr,
      regionSize: properties.size,
      usableSize: this.#usableSize,
      pluggedSize: 0,
      requestedSize: this.#requestedSize,
    });
  }

  get id(): string {
    return this.properties.id;
  }

  get sizes(): VirtioMemSizes {
    return {
      requestedSize: this.#requestedSize,
      pluggedSize: this.memory.pluggedSize,
      usableSize: this.#usableSize,
    };
  }

  /** Whether the guest has done what was requested, and why not. */
  get convergence(): Convergence {
    const { requestedSize, pluggedSize } = this.sizes;
    return this.#convergence.diagnose({ requestedSize, pluggedSize, nowMs: performance.now() });
  }

  /** Reminders sent to the driver after answers of BUSY. */
  get nudges(): number {
    return this.#nudge.sent;
  }

  /** Calls back after every change of the plugged size. @returns the way to stop that */
  onSizeChange(listener: () => void): () => void {
    this.#sizeListeners.add(listener);
    return () => this.#sizeListeners.delete(listener);
  }

  /**
   * Asks the guest to grow or shrink to `bytes`; it answers when it likes. The usable region grows
   * with it, and shrinks only when nothing is plugged (UNPLUG_ALL, reset).
   *
   * @throws ConfigError when it is not a multiple of the block size, or more than the region
   */
  setRequestedSize(bytes: number): void {
    checkRequestedSize(this.properties, bytes);
    this.#requestedSize = bytes;
    this.#usableSize = Math.max(this.#usableSize, this.#usableFor(bytes));
    this.#convergence.resized(performance.now());
    this.#nudge.cancel();
    this.#publishSizes();
    this.#host?.configChanged();
  }

  /**
   * System reset: unplugs everything, gives the memory back, recomputes the usable region. The
   * requested size stays, so that the guest plugs again after it has booted.
   */
  async resetMemory(): Promise<void> {
    await this.idle();
    this.#work = Promise.resolve(this.memory.unplugAll());
    try {
      await this.#work;
    } finally {
      this.#work = undefined;
    }
    this.#usableSize = this.#usableFor(this.#requestedSize);
    this.#sizeChanged();
  }

  /** Resolves when no memory work is under way. */
  async idle(): Promise<void> {
    while (this.#work !== undefined) await this.#work.catch(() => undefined);
  }

  attach(host: VirtioHost): void {
    this.#host = host;
  }

  refuseFeatures(accepted: bigint): string | undefined {
    const wanted = this.features & VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE;
    if ((accepted & wanted) === wanted) return undefined;
    return 'the driver does not accept VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE';
  }

  readConfig(offset: number, size: number): number {
    return this.#config.read(offset, size);
  }

  writeConfig(): void {
    // Every field is read-only for the driver (virtio 1.3 §5.15.4).
  }

  activate(activation: VirtioActivation): void {
    const queue = activation.queues[0];
    this.#queue = queue;
    this.#convergence.driverChanged(true);
    queue?.start((chain) => this.#serve(queue, chain));
  }

  /** By the driver: blocks stay plugged (virtio 1.3 §5.15.5.2). */
  reset(): void {
    this.#queue = undefined;
    this.#convergence.driverChanged(false);
    this.#nudge.cancel();
  }

  #serve(queue: SplitQueue, chain: DescriptorChain): void | Promise<void> {
    if (this.#work !== undefined) return this.#serveLater(queue, chain);
    if (chain.readableLength < REQUEST_SIZE || chain.writableLength < RESPONSE_SIZE) {
      const lengths = `${chain.readableLength} readable and ${chain.writableLength} writable bytes`;
      this.#host?.needsReset(`a request has ${lengths}, not ${REQUEST_SIZE} and ${RESPONSE_SIZE}`);
      return;
    }
    chain.read(0, this.#requestBytes, REQUEST_SIZE);
    if (!decodeRequest(this.#requestView, this.#request)) {
      this.#host?.needsReset(`unknown request type ${this.#requestView.getUint16(0, true)}`);
      return;
    }
    const answer = this.#handle(this.#request);
    if (typeof answer === 'number') {
      this.#respond(queue, chain, answer);
      return;
    }
    this.#work = answer;
    return answer.then((late) => {
      this.#work = undefined;
      if (this.#queue === queue) this.#respond(queue, chain, late);
    });
  }

  /** A driver that reset the device is back before its last request was through. */
  async #serveLater(queue: SplitQueue, chain: DescriptorChain): Promise<void> {
    await this.idle();
    if (this.#queue === queue) await this.#serve(queue, chain);
  }

  #handle(request: Request): number | Promise<number> {
    switch (request.type) {
      case 'plug':
        return this.#plug(request.addr, request.count);
      case 'unplug':
        return this.#unplug(request.addr, request.count);
      case 'unplug-all':
        return this.#unplugAll();
      case 'state':
        return this.#state(request.addr, request.count);
    }
  }

  #plug(addr: number, count: number): number | Promise<number> {
    if (!this.#isValidRange(addr, count)) return VIRTIO_MEM_RESP_ERROR;
    const asked = count * this.properties.blockSize;
    if (this.memory.pluggedSize + asked > this.#requestedSize) return VIRTIO_MEM_RESP_NACK;
    const first = this.#blockOf(addr);
    if (!this.memory.map.isAllUnplugged(first, count)) return VIRTIO_MEM_RESP_ERROR;
    return this.#change('plug', () => this.memory.plug(first, count));
  }

  #unplug(addr: number, count: number): number | Promise<number> {
    if (!this.#isValidRange(addr, count)) return VIRTIO_MEM_RESP_ERROR;
    const first = this.#blockOf(addr);
    if (!this.memory.map.isAllPlugged(first, count)) return VIRTIO_MEM_RESP_ERROR;
    return this.#change('unplug', () => this.memory.unplug(first, count));
  }

  #unplugAll(): number | Promise<number> {
    const shrink = (answer: number): number => {
      if (answer === VIRTIO_MEM_RESP_ACK) {
        this.#usableSize = this.#usableFor(this.#requestedSize);
        this.#publishSizes();
      }
      return answer;
    };
    const answer = this.#change('unplug-all', () => this.memory.unplugAll());
    return typeof answer === 'number' ? shrink(answer) : answer.then(shrink);
  }

  #state(addr: number, count: number): number {
    if (!this.#isValidRange(addr, count)) return VIRTIO_MEM_RESP_ERROR;
    const first = this.#blockOf(addr);
    let state = VIRTIO_MEM_STATE_MIXED;
    if (this.memory.map.isAllPlugged(first, count)) state = VIRTIO_MEM_STATE_PLUGGED;
    else if (this.memory.map.isAllUnplugged(first, count)) state = VIRTIO_MEM_STATE_UNPLUGGED;
    this.#responseView.setUint16(8, state, true);
    return VIRTIO_MEM_RESP_ACK;
  }

  /** Runs memory work: BUSY when the host cannot do it now. */
  #change(what: string, work: () => void | Promise<void>): number | Promise<number> {
    const failed = (error: unknown): number => {
      this.#convergence.busyBecause(messageOf(error));
      logger.warn({ id: this.id, request: what, error: messageOf(error) }, 'answered BUSY');
      return VIRTIO_MEM_RESP_BUSY;
    };
    const done = (): number => {
      this.#sizeChanged();
      return VIRTIO_MEM_RESP_ACK;
    };
    try {
      const later = work();
      return later === undefined ? done() : later.then(done, failed);
    } catch (error) {
      return failed(error);
    }
  }

  #respond(queue: SplitQueue, chain: DescriptorChain, answer: number): void {
    const name = ANSWER_NAMES[answer];
    if (name !== undefined) this.#account(name);
    this.#responseView.setUint16(0, answer, true);
    chain.write(0, this.#responseBytes, RESPONSE_SIZE);
    this.#responseView.setUint16(8, 0, true);
    queue.complete(chain, RESPONSE_SIZE);
  }

  #account(answer: keyof VirtioMemAnswers): void {
    this.answers[answer] += 1;
    if (this.#request.type === 'state') return;
    this.#convergence.answered(answer, performance.now());
    if (answer === 'busy') this.#nudge.wasBusy();
    else if (answer === 'ack') this.#nudge.cancel();
  }

  #isValidRange(addr: number, count: number): boolean {
    const { memaddr, blockSize } = this.properties;
    const offset = addr - memaddr;
    return (
      count > 0 &&
      offset >= 0 &&
      Number.isSafeInteger(addr) &&
      addr % blockSize === 0 &&
      offset + count * blockSize <= this.#usableSize
    );
  }

  #blockOf(addr: number): number {
    return (addr - this.properties.memaddr) / this.properties.blockSize;
  }

  #usableFor(requestedSize: number): number {
    return usableSizeFor(requestedSize, this.properties.size, this.properties.blockSize);
  }

  #sizeChanged(): void {
    this.#publishSizes();
    for (const listener of this.#sizeListeners) listener();
  }

  #publishSizes(): void {
    this.#config.updateSizes(this.#usableSize, this.memory.pluggedSize, this.#requestedSize);
  }
}
