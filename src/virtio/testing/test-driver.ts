import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';
import { alignUp } from '../../units.ts';
import { featureWord, VirtioCore } from '../core.ts';
import type { VirtioDevice } from '../device.ts';
import type { RingArea } from '../queue-registers.ts';
import {
  VIRTIO_STATUS_ACKNOWLEDGE,
  VIRTIO_STATUS_DRIVER,
  VIRTIO_STATUS_DRIVER_OK,
  VIRTIO_STATUS_FEATURES_OK,
} from '../spec.ts';
import { DriverQueue } from './driver-queue.ts';

export interface TestDriverOptions {
  readonly memory: GuestMemoryAccess;
  /** Where the queues go: enough for `DriverQueue.bytes` of each. Default 0x1000. */
  readonly gpa?: number;
}

/** A guest's driver without a guest or a bus: negotiates, sets up queues, counts interrupts. */
export class TestDriver {
  readonly core: VirtioCore;
  /** One per queue, since `start`. */
  queues: DriverQueue[] = [];
  queueInterrupts = 0;
  configInterrupts = 0;
  readonly #memory: GuestMemoryAccess;
  readonly #gpa: number;
  #waiting: (() => void)[] = [];

  constructor(device: VirtioDevice, { memory, gpa = 0x1000 }: TestDriverOptions) {
    this.#memory = memory;
    this.#gpa = gpa;
    this.core = new VirtioCore(device, memory, {
      crowded: () => false,
      queueInterrupt: () => {
        this.queueInterrupts += 1;
        for (const wake of this.#waiting.splice(0)) wake();
      },
      configInterrupt: () => {
        this.configInterrupts += 1;
        for (const wake of this.#waiting.splice(0)) wake();
      },
      activated: () => undefined,
      reset: () => undefined,
    });
  }

  /** Resets and negotiates. @returns whether FEATURES_OK stuck */
  negotiate(features: bigint = this.core.offeredFeatures): boolean {
    this.core.writeStatus(0);
    this.core.writeStatus(VIRTIO_STATUS_ACKNOWLEDGE);
    this.core.writeStatus(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (const word of [0, 1, 2, 3]) this.core.acceptFeatures(word, featureWord(features, word));
    this.core.writeStatus(this.core.status | VIRTIO_STATUS_FEATURES_OK);
    return (this.core.status & VIRTIO_STATUS_FEATURES_OK) !== 0;
  }

  /** Negotiates, sets up every queue, sets DRIVER_OK. @throws Error when features are refused */
  start(features: bigint = this.core.offeredFeatures): void {
    if (!this.negotiate(features)) throw new Error('features refused');
    let gpa = this.#gpa;
    this.queues = this.core.queueRegisters.map((registers, index) => {
      const kick = (): void => this.core.kick(index);
      const size = registers.size;
      const queue = new DriverQueue({ memory: this.#memory, gpa, size, features, kick });
      gpa = alignUp(gpa + DriverQueue.bytes(size), 4096);
      for (const area of ['descriptors', 'avail', 'used'] satisfies RingArea[]) {
        registers.setHalf(area, false, queue.addresses[area] % 2 ** 32);
        registers.setHalf(area, true, Math.floor(queue.addresses[area] / 2 ** 32));
      }
      this.core.enableQueue(index);
      return queue;
    });
    this.core.writeStatus(this.core.status | VIRTIO_STATUS_DRIVER_OK);
  }

  /** The next interrupt, of a queue or of the configuration. */
  interrupt(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends a request on a queue and waits for the interrupt. @returns the response bytes written */
  async request(bytes: Uint8Array, responseLength: number, index = 0): Promise<Uint8Array> {
    const queue = this.queues[index];
    if (queue === undefined) throw new RangeError(`no queue ${index}`);
    queue.wantInterrupts(true);
    const told = this.interrupt();
    const head = queue.send(bytes, responseLength);
    await told;
    const used = queue.collect().find((buffer) => buffer.head === head);
    if (used === undefined) throw new Error('the device did not answer');
    return queue.response(head, bytes.length, used.writtenBytes);
  }
}
