import { log } from '../../log.ts';
import { hex } from '../../units.ts';
import type { DescriptorChain, SplitQueue } from '../../virtio/split-queue.ts';
import type { MemoryHolds } from '../../memory/memory-holds.ts';
import type { VirtioActivation, VirtioDevice, VirtioHost } from '../../virtio/device.ts';
import { LatencyHistogram } from '../../virtio/latency-histogram.ts';
import { ConvergenceWatch, type Convergence } from './convergence.ts';
import { DeviceSizes, type VirtioMemSizes } from './device-sizes.ts';
import { Nudge } from './nudge.ts';
import type { PluggedMemory } from './plugged-memory.ts';
import type { VirtioMemProperties } from './properties.ts';
import { RequestHandler } from './request-handler.ts';
import { decodeRequest, type Request, type RequestType } from './request.ts';
import {
  CONFIG_SIZE,
  QUEUE_SIZE,
  REQUEST_SIZE,
  RESPONSE_SIZE,
  VIRTIO_ID_MEM,
  VIRTIO_MEM_F_ACPI_PXM,
  VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE,
} from './spec.ts';

const logger = log('virtio-mem');

/** How many requests got which answer. */
export interface VirtioMemAnswers {
  ack: number;
  nack: number;
  busy: number;
  error: number;
}

/** Of so many STATE requests one is timed. */
const STATES_PER_TIMED = 16;

const ANSWER_NAMES: readonly (keyof VirtioMemAnswers)[] = ['ack', 'nack', 'busy', 'error'];
const STATE_NAMES: readonly string[] = ['plugged', 'unplugged', 'mixed'];

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
  /** How long requests took, from the moment they are taken up; of STATE some. */
  readonly latencies: Readonly<Record<RequestType, LatencyHistogram>> = {
    plug: new LatencyHistogram(),
    unplug: new LatencyHistogram(),
    'unplug-all': new LatencyHistogram(),
    state: new LatencyHistogram(),
  };
  readonly #sizes: DeviceSizes;
  readonly #handler: RequestHandler;
  readonly #request: Request = { type: 'state', addr: 0, count: 0 };
  readonly #requestBytes = new Uint8Array(REQUEST_SIZE);
  readonly #requestView = new DataView(this.#requestBytes.buffer);
  readonly #responseBytes = new Uint8Array(RESPONSE_SIZE);
  readonly #responseView = new DataView(this.#responseBytes.buffer);
  readonly #convergence: ConvergenceWatch;
  readonly #nudge = new Nudge(() => this.#host?.configChanged());
  readonly #sizeListeners = new Set<() => void>();
  readonly #requestListeners = new Set<() => void>();
  /** The plugged size that listeners know, in bytes. */
  #toldSize = 0;
  #host: VirtioHost | undefined;
  #queue: SplitQueue | undefined;
  /** When the request at hand was taken up: performance.now(); NaN when it is not timed. */
  #startedMs = 0;
  /** STATE requests since the last that was timed. */
  #stateRequests = 0;
  /** Memory work under way, which outlives a reset of the device by its driver. */
  #work: Promise<unknown> | undefined;

  /** @param holds  while there is one, requests that would change memory are answered BUSY */
  constructor(properties: VirtioMemProperties, memory: PluggedMemory, holds: MemoryHolds) {
    this.properties = properties;
    this.memory = memory;
    this.#convergence = new ConvergenceWatch(performance.now(), properties.linuxFit);
    this.features =
      (properties.hasNuma ? VIRTIO_MEM_F_ACPI_PXM : 0n) |
      (properties.unpluggedInaccessible ? VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE : 0n);
    this.#sizes = new DeviceSizes(properties);
    this.#handler = new RequestHandler({
      properties,
      memory,
      sizes: this.#sizes,
      holds,
      onBusy: (cause) => this.#convergence.busyBecause(cause),
      onChange: () => this.#sizeChanged(),
    });
    holds.add({ idle: () => this.idle(), onRelease: () => this.#released() });
  }

  get id(): string {
    return this.properties.id;
  }

  get sizes(): VirtioMemSizes {
    return {
      requestedSize: this.#sizes.requested,
      pluggedSize: this.memory.pluggedSize,
      usableSize: this.#sizes.usable,
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

  /** Requests that were answered BUSY because somebody held memory. */
  get heldRequests(): number {
    return this.#handler.held;
  }

  /** The guest runs again: what it did not do while it was held says nothing of it. */
  resumed(): void {
    this.#convergence.resumed(performance.now());
  }

  /** Calls back after every change of the plugged size. @returns the way to stop that */
  onSizeChange(listener: () => void): () => void {
    this.#sizeListeners.add(listener);
    return () => this.#sizeListeners.delete(listener);
  }

  /** Calls back after every request for a size, be it the same again. @returns the way to stop that */
  onSizeRequest(listener: () => void): () => void {
    this.#requestListeners.add(listener);
    return () => this.#requestListeners.delete(listener);
  }

  /**
   * Asks the guest to grow or shrink to `bytes`; it answers when it likes. The usable region grows
   * with it, and shrinks only when nothing is plugged (UNPLUG_ALL, reset).
   *
   * @throws ConfigError when it is not a multiple of the block size, or more than the region
   */
  setRequestedSize(bytes: number): void {
    this.#sizes.request(bytes);
    this.#convergence.resized(performance.now());
    this.#nudge.cancel();
    this.#sizes.publish(this.memory.pluggedSize);
    this.#host?.configChanged();
    for (const listener of this.#requestListeners) listener();
  }

  /**
   * System reset: unplugs everything, gives the memory back, recomputes the usable region. The
   * requested size stays, so that the guest plugs again after it has booted. Holds are not asked.
   */
  async resetMemory(): Promise<void> {
    // Whoever else has waited may have been faster.
    while (this.#work !== undefined) await this.idle();
    this.#work = Promise.resolve(this.memory.unplugAll());
    try {
      await this.#work;
      this.#sizes.recompute();
    } finally {
      this.#work = undefined;
      this.#sizeChanged();
    }
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
    return this.#sizes.config.read(offset, size);
  }

  writeConfig(): void {
    // Every field is read-only for the driver (virtio 1.3 §5.15.4).
  }

  activate(activation: VirtioActivation): void {
    const queue = activation.queues[0];
    this.#queue = queue;
    this.#convergence.driverChanged(true, performance.now());
    queue?.start((chain) => this.#serve(queue, chain));
  }

  /** By the driver: blocks stay plugged (virtio 1.3 §5.15.5.2). */
  reset(): void {
    this.#queue = undefined;
    this.#convergence.driverChanged(false, performance.now());
    this.#handler.takeHeld();
    this.#nudge.cancel();
  }

  #serve(queue: SplitQueue, chain: DescriptorChain): void | Promise<void> {
    if (this.#work !== undefined) return this.#serveLater(queue, chain);
    if (chain.readableLength < REQUEST_SIZE || chain.writableLength < RESPONSE_SIZE) {
      const lengths = `${chain.readableLength} readable and ${chain.writableLength} writable bytes`;
      this.#host?.needsReset(`a request has ${lengths}, not ${REQUEST_SIZE} and ${RESPONSE_SIZE}`);
      return;
    }
    // Where either is not memory, the queue is broken by now.
    if (chain.read(0, this.#requestBytes, REQUEST_SIZE) !== REQUEST_SIZE) return;
    if (!chain.canWrite(RESPONSE_SIZE)) return;
    if (!decodeRequest(this.#requestView, this.#request)) {
      this.#host?.needsReset(`unknown request type ${this.#requestView.getUint16(0, true)}`);
      return;
    }
    if (this.#takesAnswer(queue, chain)) {
      this.#host?.needsReset('a request unplugs the memory that its answer needs');
      return;
    }
    this.#startedMs = this.#isTimed() ? performance.now() : Number.NaN;
    const answer = this.#handler.handle(this.#request);
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

  /** Whether the request at hand would unplug what its answer is written to. */
  #takesAnswer(queue: SplitQueue, chain: DescriptorChain): boolean {
    const { type, addr, count } = this.#request;
    const { memaddr, size, blockSize } = this.properties;
    if (type === 'unplug') {
      const isValid = this.#sizes.isValidRange(addr, count);
      return isValid && queue.needs(chain, addr, count * blockSize);
    }
    return type === 'unplug-all' && queue.needs(chain, memaddr, size);
  }

  /** A driver that reset the device is back before its last request was through. */
  async #serveLater(queue: SplitQueue, chain: DescriptorChain): Promise<void> {
    await this.idle();
    if (this.#queue === queue) await this.#serve(queue, chain);
  }

  #respond(queue: SplitQueue, chain: DescriptorChain, answer: number): void {
    const name = ANSWER_NAMES[answer];
    if (name !== undefined) this.#account(name);
    if (logger.isTraced) this.#trace(name);
    this.#responseView.setUint16(0, answer, true);
    this.#responseView.setUint16(8, this.#handler.state, true);
    chain.write(0, this.#responseBytes, RESPONSE_SIZE);
    queue.complete(chain, RESPONSE_SIZE);
  }

  /** The request at hand, and how it was answered: after `us` microseconds. */
  #trace(answer: keyof VirtioMemAnswers | undefined): void {
    const { type, addr, count } = this.#request;
    const us = Math.round((performance.now() - this.#startedMs) * 1000);
    const fields = { id: this.id, request: type, gpa: hex(addr), count, answer, us };
    const isState = type === 'state' && answer === 'ack';
    const state = isState ? { state: STATE_NAMES[this.#handler.state] } : undefined;
    logger.trace({ ...fields, ...state }, 'request');
  }

  /** Reading the clock takes a good part of what answering STATE takes: some must do. */
  #isTimed(): boolean {
    if (this.#request.type !== 'state' || logger.isTraced) return true;
    this.#stateRequests = (this.#stateRequests + 1) % STATES_PER_TIMED;
    return this.#stateRequests === 1;
  }

  #account(answer: keyof VirtioMemAnswers): void {
    this.answers[answer] += 1;
    if (Number.isNaN(this.#startedMs)) return;
    const nowMs = performance.now();
    this.latencies[this.#request.type].record(nowMs - this.#startedMs);
    if (this.#request.type === 'state') return;
    this.#convergence.answered(answer, nowMs);
    // A hold ends with a reminder; until then there is no use in any.
    if (answer === 'busy' && !this.#handler.isHeld) this.#nudge.wasBusy();
    else if (answer === 'ack') this.#nudge.cancel();
  }

  /** Who was refused for a hold need not wait until its driver tries again by itself. */
  #released(): void {
    if (this.#handler.takeHeld()) this.#nudge.now();
  }

  #sizeChanged(): void {
    const { pluggedSize } = this.memory;
    this.#sizes.publish(pluggedSize);
    // The usable region may have changed, or nothing at all.
    if (pluggedSize === this.#toldSize) return;
    this.#toldSize = pluggedSize;
    for (const listener of this.#sizeListeners) listener();
  }
}
