import { turnOfTheLoop } from '../../../../virtio/testing/event-loop.ts';
import { VIRTIO_STATUS_DEVICE_NEEDS_RESET } from '../../../../virtio/spec.ts';
import { REQUEST_SIZE, RESPONSE_SIZE } from '../../spec.ts';
import { encode } from '../device-rig.ts';
import { BlockModel, type Ruling } from './block-model.ts';
import { compareAll, same, type Leniency } from './compare.ts';
import type { Fault } from './faults.ts';
import { ModelRig, type Answer } from './model-rig.ts';
import type { Shape } from './shape.ts';
import type { AnyRequest } from './any-request.ts';
import type { Malformed, Step } from './step.ts';

/** A device and its model, which go through the same. */
export class Trial {
  readonly model: BlockModel;
  readonly #rig: ModelRig;
  readonly #leniency: Leniency;
  #listens = true;
  /** Ends the hold that there is. */
  #release: (() => void) | undefined;
  /** Whether the driver that is there now was refused something for it. */
  #refused = false;

  constructor(shape: Shape) {
    this.#rig = new ModelRig(shape);
    this.model = new BlockModel(shape, this.#rig.base);
    this.#leniency = { leaky: shape.mappings < 2 * shape.blocks, stale: false, doubtful: false };
  }

  /** Takes a step on both sides, and compares them. @throws Error when they differ */
  async take(step: Step): Promise<void> {
    await this.#take(step);
    await compareAll(this.#rig, this.model, this.#leniency);
    const [, , last] = this.#rig.audience;
    const none = this.model.plugged.map(() => false);
    same('what the last listener heard', last.populated, this.#listens ? this.model.plugged : none);
  }

  close(): Promise<void> {
    return this.#rig.close();
  }

  async #take(step: Step): Promise<void> {
    switch (step.do) {
      case 'request':
        await this.#request(step.request, step.faults);
        break;
      case 'burst':
        await this.#burst(step.requests);
        break;
      case 'malformed':
        await this.#malformed(step.how);
        break;
      case 'resize':
        this.#resize(step.bytes);
        break;
      case 'driver-reset':
        this.#restartDriver();
        break;
      case 'system-reset':
        await this.#systemReset(step.faults);
        break;
      case 'interrupted':
        await this.#interrupted(step);
        break;
      case 'write':
        this.#write(step.block, step.value);
        break;
      case 'listener':
        this.#toggleListener();
        break;
      case 'hold':
        this.#toggleHold();
        break;
    }
  }

  async #request(request: AnyRequest, faults: readonly Fault[]): Promise<void> {
    const ruling = this.model.judge(request);
    const [answer] = await this.#withFaults(faults, () => this.#rig.ask([request]));
    if (answer === undefined) throw new Error('no answer');
    const { fired } = this.#rig.faults;
    if (fired.length === 0) {
      same(`answer to ${request.type}`, answer, this.#expected(request, ruling));
      this.#settle(request, ruling);
      return;
    }
    same('the ruling, where the host was asked', ruling, 'ack');
    this.#checkRefusal(request, answer.type, fired);
    if (answer.type === 'ack') this.#carryOut(request);
    else this.#afterFailure(request, fired);
  }

  #restartDriver(): void {
    this.#rig.driver.start();
    this.#refused = false;
  }

  #settle(request: AnyRequest, ruling: Ruling): void {
    if (ruling === 'ack') this.#carryOut(request);
    if (ruling === 'busy') this.#refused = true;
  }

  #carryOut(request: AnyRequest): void {
    this.model.carryOut(request);
    // Who gives everything back also clears what was left over, unless memory is held.
    if (request.type === 'unplug-all' && !this.model.held) this.#leniency.stale = false;
  }

  async #withFaults<T>(faults: readonly Fault[], work: () => Promise<T>): Promise<T> {
    this.#rig.faults.arm(faults);
    try {
      return await work();
    } finally {
      this.#rig.faults.disarm();
    }
  }

  #expected(request: AnyRequest, ruling: Answer['type'], model = this.model): Answer {
    const tells = request.type === 'state' && ruling === 'ack';
    return { type: ruling, state: tells ? model.stateOf(request) : 0 };
  }

  /** What is refused is BUSY; but protection is made up for, or done without. */
  #checkRefusal({ type }: AnyRequest, answer: Answer['type'], fired: readonly Fault[]): void {
    const [first, second] = fired;
    const wasLeaky = this.#leniency.leaky;
    const protects = fired.filter((it) => it.call === 'protect').length;
    if (protects > 0) this.#leniency.leaky = true;
    if (protects > 1) this.#leniency.doubtful = true;
    // Without mappings to spare, protection has tried already what it would try next.
    // A memslot of several windows that is refused is tried as one of one window.
    const triedAgain =
      (wasLeaky && first?.call === 'protect') ||
      (this.model.shape.sharesMemslots && first?.call === 'set-memslot');
    if (second !== undefined || triedAgain) {
      if (answer !== 'busy' && answer !== 'ack') throw new Error(`answer is ${answer}`);
      return;
    }
    const makesDo = first?.call === 'protect' && (type !== 'plug' || first.code === 'ENOMEM');
    same(`answer to ${type}, ${first?.call} refused`, answer, makesDo ? 'ack' : 'busy');
  }

  /** Nothing has changed; only what was to be unplugged may have lost its content. */
  #afterFailure(request: AnyRequest, fired: readonly Fault[]): void {
    if (fired.length > 1) this.#adopt(request);
    if (fired.length > 1 && fired.some((it) => it.call === 'delete-memslots'))
      this.#leniency.stale = true;
    if (request.type === 'plug') {
      // What could not be cleaned stays until the blocks are plugged again.
      if (fired.length > 1 && fired.some((it) => it.call === 'discard'))
        this.#leniency.leaky = true;
      return;
    }
    const discarded = fired.some((it) => it.call === 'discard' && it.half);
    if (!discarded) return;
    for (const block of this.model.blocksOf(request)) {
      if (this.model.content[block] !== 0) this.#write(block, this.model.content[block] ?? 0);
    }
  }

  /** Refused twice, an undo may fail: the blocks are unplugged then, whatever the answer. */
  #adopt(request: AnyRequest): void {
    if (request.type === 'plug') return;
    const { memory, shape } = this.#rig;
    for (const block of this.model.blocksOf(request)) {
      if (memory.isPopulated(block * shape.blockSize, shape.blockSize)) continue;
      this.model.plugged[block] = false;
      this.model.content[block] = 0;
    }
  }

  async #burst(requests: readonly AnyRequest[]): Promise<void> {
    const answers = await this.#rig.ask(requests);
    for (const [index, request] of requests.entries()) {
      const ruling = this.model.judge(request);
      same(`answer ${index}`, answers[index], this.#expected(request, ruling));
      this.#settle(request, ruling);
    }
  }

  async #malformed(how: Malformed): Promise<void> {
    const { queue, driver, base } = this.#rig;
    const plug = encode(how === 'unknown type' ? 4 : 0, base, 1);
    const request = how === 'short request' ? plug.subarray(0, REQUEST_SIZE - 1) : plug;
    queue.send(request, how === 'short response' ? RESPONSE_SIZE - 1 : RESPONSE_SIZE);
    while ((driver.core.status & VIRTIO_STATUS_DEVICE_NEEDS_RESET) === 0) await turnOfTheLoop();
    const used = queue.usedIndex;
    queue.send(encode(2, 0, 0), RESPONSE_SIZE);
    await turnOfTheLoop();
    same('requests served by a device that needs a reset', queue.usedIndex - used, 0);
    this.#restartDriver();
  }

  #resize(bytes: number): void {
    const { device, driver } = this.#rig;
    const { configInterrupts, core } = driver;
    const generation = core.configGeneration;
    const can = this.model.canRequest(bytes);
    let accepted = true;
    try {
      device.setRequestedSize(bytes);
    } catch {
      accepted = false;
    }
    same('resize accepted', accepted, can);
    same('config interrupts', driver.configInterrupts - configInterrupts, can ? 1 : 0);
    same('new generation', core.configGeneration !== generation, can);
    if (can) this.model.resize(bytes);
  }

  async #systemReset(faults: readonly Fault[]): Promise<void> {
    const everything: AnyRequest = { type: 'unplug-all', addr: 0, count: 0 };
    const isBack = await this.#withFaults(faults, () => this.#rig.systemReset());
    const { fired } = this.#rig.faults;
    if (fired.length > 0) {
      this.#checkRefusal(everything, isBack ? 'ack' : 'busy', fired);
    } else {
      same('memory is back', isBack, true);
    }
    if (isBack) this.#carryOut(everything);
    else this.#afterFailure(everything, fired);
    this.#restartDriver();
  }

  /** A request whose driver, or machine, is reset before it hears an answer. */
  async #interrupted(step: Extract<Step, { do: 'interrupted' }>): Promise<void> {
    const { request, turns, by, next } = step;
    this.#rig.send([request]);
    for (let turn = 0; turn < turns; turn++) await turnOfTheLoop();
    const without = this.model.copy();
    if (by === 'system-reset') {
      same('memory is back', await this.#rig.systemReset(), true);
      without.carryOut({ type: 'unplug-all', addr: 0, count: 0 });
    }
    // It was taken from the ring, or it was not; never half of it.
    const candidates = [without];
    if (by === 'driver-reset' && without.judge(request) === 'ack') {
      const done = without.copy();
      done.carryOut(request);
      candidates.unshift(done);
    }
    this.#restartDriver();
    const [answer] = await this.#rig.ask([next]);
    this.model.take(this.#whichFits(candidates, next, answer));
    this.#refused = answer?.type === 'busy';
  }

  /** The model that explains an answer, and what is plugged after it. */
  #whichFits(
    candidates: readonly BlockModel[],
    request: AnyRequest,
    answer: Answer | undefined,
  ): BlockModel {
    const { sizes } = this.#rig.device;
    for (const model of candidates) {
      const ruling = model.judge(request);
      const expected = this.#expected(request, ruling, model);
      if (JSON.stringify(answer) !== JSON.stringify(expected)) continue;
      if (ruling === 'ack') model.carryOut(request);
      if (sizes.pluggedSize === model.pluggedSize && sizes.usableSize === model.usable)
        return model;
    }
    throw new Error(`answer ${JSON.stringify(answer)} fits nothing that may have happened`);
  }

  #write(block: number, value: number): void {
    const { host, shape } = this.#rig;
    if (this.model.plugged[block] !== true) return;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    host.mapping.write(block * shape.blockSize, bytes);
    host.mapping.write((block + 1) * shape.blockSize - 4, bytes);
    this.model.content[block] = value;
  }

  #toggleListener(): void {
    const [, , last] = this.#rig.audience;
    this.#listens = !this.#listens;
    if (this.#listens) this.#rig.memory.register(last);
    else this.#rig.memory.unregister(last);
  }

  /** Whoever was refused is reminded when the hold ends. */
  #toggleHold(): void {
    const { driver, holds } = this.#rig;
    if (this.#release === undefined) {
      this.#release = holds.take('a test');
      this.model.held = true;
      return;
    }
    const before = driver.configInterrupts;
    this.#release();
    this.#release = undefined;
    this.model.held = false;
    same('reminders', driver.configInterrupts - before, this.#refused ? 1 : 0);
    this.#refused = false;
  }
}
