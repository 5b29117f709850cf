import type { ConvergenceKind } from '../devices/virtio-mem/convergence.ts';
import type { EventHub } from './event-hub.ts';

export type { ConvergenceKind };

const CONVERGENCE_KINDS: Readonly<Record<ConvergenceKind, true>> = {
  converged: true,
  'no-driver': true,
  'not-asked': true,
  'under-way': true,
  busy: true,
  nack: true,
  error: true,
  'unplug-stalled': true,
  'plug-stalled': true,
};

/** Whether another process speaks of something that is known here. */
export function isConvergenceKind(text: string): text is ConvergenceKind {
  return Object.hasOwn(CONVERGENCE_KINDS, text);
}

/** A memory device at one moment. Sizes and addresses in bytes. */
export interface MemoryDeviceState {
  readonly id: string;
  /** What the guest is asked to have. */
  readonly requestedSize: number;
  /** What it has. */
  readonly size: number;
  /** What it can have at most. */
  readonly maxSize: number;
  readonly blockSize: number;
  readonly memaddr: number;
  readonly node: number;
  /** Whether `size` is as requested; if not, why. */
  readonly convergence: ConvergenceKind;
  /** The same, for people. */
  readonly cause: string;
}

/** What a machine does; `created` has not been started. */
export type VmStatus = 'created' | 'running' | 'paused' | 'ended';

/** What a memory device needs of its machine, which may be in another process. */
export interface MemoryHost {
  readonly hub: EventHub;
  status(): Promise<VmStatus>;
  /** @throws (rejects with) ConfigError when there is no such device */
  state(id: string): Promise<MemoryDeviceState>;
  /** @throws (rejects with) ConfigError when the size cannot be */
  request(id: string, bytes: number): Promise<void>;
}
