import type { SplitQueue } from './split-queue.ts';

/** What the transport gives a device when the driver sets DRIVER_OK. */
export interface VirtioActivation {
  /** What the driver accepted. */
  readonly features: bigint;
  /** One per `queueSizes`; a queue that the driver left disabled is undefined. */
  readonly queues: readonly (SplitQueue | undefined)[];
}

/** What a device asks of its transport. */
export interface VirtioHost {
  /** Raises a configuration change interrupt and bumps the generation (virtio 1.3 §4.1.4.3.1). */
  configChanged(): void;
  /** Sets DEVICE_NEEDS_RESET, tells the driver, and stops the queues (virtio 1.3 §2.1.2). Idempotent. */
  needsReset(reason: string): void;
}

/** A virtio device, whatever transport it sits on. */
export interface VirtioDevice {
  /** The user's name for it. */
  readonly id: string;
  /** virtio 1.3 §5. */
  readonly deviceType: number;
  /** PCI class code, 24 bits. */
  readonly pciClass: number;
  /** Maximum size of each queue, a power of two. */
  readonly queueSizes: readonly number[];
  /** Device-specific features (bits 0 to 23 and 50 up); the transport adds its own. */
  readonly features: bigint;
  /** Device configuration space, read-only bytes; multi-byte fields little-endian. */
  readonly configSize: number;
  /** Asked when the driver sets FEATURES_OK. @returns why they are refused, or undefined */
  refuseFeatures(accepted: bigint): string | undefined;
  readConfig(offset: number, size: number): number;
  writeConfig(offset: number, size: number, value: number): void;
  /** Called once, before anything else. */
  attach(host: VirtioHost): void;
  /** DRIVER_OK: the queues may be served. */
  activate(activation: VirtioActivation): void;
  /** Status 0 written, or a system reset: forget the queues; work under way must not touch them. */
  reset(): void;
}
