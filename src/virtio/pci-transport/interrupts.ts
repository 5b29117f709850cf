import type { IntxControl, MsixControl } from '../../pci/function.ts';
import { VIRTIO_MSI_NO_VECTOR, VIRTIO_PCI_ISR_CONFIG, VIRTIO_PCI_ISR_QUEUE } from '../spec.ts';

/** The function's ways to interrupt. */
export interface InterruptSinks {
  readonly msix: MsixControl | undefined;
  readonly intx: IntxControl;
}

/**
 * Interrupts of a device: vectors with MSI-X, else ISR status and the wire
 * (virtio 1.3 §4.1.4.5, §4.1.5.1.2, §4.1.5.3).
 */
export class VirtioInterrupts {
  readonly #sinks: () => InterruptSinks;
  readonly #queueVectors: Uint16Array;
  #configVector = VIRTIO_MSI_NO_VECTOR;
  #isr = 0;

  /** @param sinks  the function, once it exists */
  constructor(queues: number, sinks: () => InterruptSinks) {
    this.#sinks = sinks;
    this.#queueVectors = new Uint16Array(queues).fill(VIRTIO_MSI_NO_VECTOR);
  }

  get configVector(): number {
    return this.#configVector;
  }

  set configVector(vector: number) {
    this.#configVector = this.#checked(vector);
  }

  /** 0 for a queue that does not exist. */
  queueVector(index: number): number {
    return this.#queueVectors[index] ?? 0;
  }

  setQueueVector(index: number, vector: number): void {
    if (index < this.#queueVectors.length) this.#queueVectors[index] = this.#checked(vector);
  }

  /** A queue has used buffers. */
  signalQueue(index: number): void {
    const { msix } = this.#sinks();
    if (msix?.enabled === true) this.#send(msix, this.queueVector(index));
    else this.#raise(VIRTIO_PCI_ISR_QUEUE);
  }

  /** The configuration changed. Its ISR bit is set with MSI-X too (§4.1.4.5.1). */
  signalConfig(): void {
    const { msix } = this.#sinks();
    if (msix?.enabled !== true) {
      this.#raise(VIRTIO_PCI_ISR_CONFIG);
      return;
    }
    this.#isr |= VIRTIO_PCI_ISR_CONFIG;
    this.#send(msix, this.#configVector);
  }

  /** ISR status as the driver would read it, without acknowledging. */
  get isr(): number {
    return this.#isr;
  }

  /** The driver reads ISR status: that acknowledges. */
  readIsr(): number {
    const isr = this.#isr;
    this.#isr = 0;
    this.#sinks().intx.set(false);
    return isr;
  }

  reset(): void {
    this.#queueVectors.fill(VIRTIO_MSI_NO_VECTOR);
    this.#configVector = VIRTIO_MSI_NO_VECTOR;
    this.readIsr();
  }

  #raise(bit: number): void {
    this.#isr |= bit;
    this.#sinks().intx.set(true);
  }

  #send(msix: MsixControl, vector: number): void {
    if (vector !== VIRTIO_MSI_NO_VECTOR) msix.signal(vector);
  }

  /** A vector that the device cannot have reads back as none (§4.1.5.1.2.1). */
  #checked(vector: number): number {
    return vector < (this.#sinks().msix?.vectors ?? 0) ? vector : VIRTIO_MSI_NO_VECTOR;
  }
}
