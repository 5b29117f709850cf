import { readSized, writeSized } from '../../bytes.ts';
import type { VirtioActivation, VirtioDevice, VirtioHost } from '../device.ts';
import type { DescriptorChain, SplitQueue } from '../split-queue.ts';

/** Optional, and without effect. */
export const ECHO_F_OPTIONAL = 1n << 0n;
/** Refused when it is missing. */
export const ECHO_F_NEEDED = 1n << 1n;
export const ECHO_CONFIG_SIZE = 10;

/** A device that answers each request with its own bytes; for tests of what carries devices. */
export class EchoDevice implements VirtioDevice {
  readonly id = 'echo0';
  readonly deviceType = 42;
  readonly pciClass = 0xff_0000;
  readonly queueSizes = [8, 16];
  readonly features = ECHO_F_OPTIONAL | ECHO_F_NEEDED;
  readonly configSize = ECHO_CONFIG_SIZE;
  /** Everything that came from the transport, in order. */
  readonly calls: string[] = [];
  readonly config = new DataView(new ArrayBuffer(ECHO_CONFIG_SIZE));
  activation: VirtioActivation | undefined;
  host: VirtioHost | undefined;
  /** Requests wait for `release` when set. */
  holding = false;
  readonly #held: (() => void)[] = [];

  refuseFeatures(accepted: bigint): string | undefined {
    return (accepted & ECHO_F_NEEDED) === 0n ? 'ECHO_F_NEEDED is not accepted' : undefined;
  }

  readConfig(offset: number, size: number): number {
    return readSized(this.config, offset, size);
  }

  writeConfig(offset: number, size: number, value: number): void {
    writeSized(this.config, offset, size, value);
  }

  attach(host: VirtioHost): void {
    this.host = host;
  }

  activate(activation: VirtioActivation): void {
    this.calls.push('activate');
    this.activation = activation;
    for (const queue of activation.queues) {
      queue?.start((chain) => this.#serve(queue, chain));
    }
  }

  reset(): void {
    this.calls.push('reset');
    this.activation = undefined;
  }

  /** Lets held requests be answered. */
  release(): void {
    for (const answer of this.#held.splice(0)) answer();
  }

  #serve(queue: SplitQueue, chain: DescriptorChain): void | Promise<void> {
    this.calls.push(`serve ${queue.index}`);
    if (!this.holding) {
      this.#answer(queue, chain);
      return;
    }
    return new Promise((resolve) => {
      this.#held.push(() => {
        this.#answer(queue, chain);
        resolve();
      });
    });
  }

  #answer(queue: SplitQueue, chain: DescriptorChain): void {
    const bytes = new Uint8Array(Math.min(chain.readableLength, chain.writableLength));
    chain.read(0, bytes, bytes.length);
    queue.complete(chain, chain.write(0, bytes, bytes.length));
  }
}
