import type { ConvergenceKind } from '../devices/virtio-mem/convergence.ts';
import { messageOf } from '../errors.ts';
import { log } from '../log.ts';
import type { ResetKind } from './resets.ts';
import type { Violation, ViolationAction } from './violations/violation.ts';

export type { ConvergenceKind } from '../devices/virtio-mem/convergence.ts';

/** A memory device that an event is about. */
interface OfMemoryDevice {
  readonly id: string;
  /** Of its object. */
  readonly path: string;
}

/** The plugged size of a memory device changed; bytes. */
export interface SizeEvent extends OfMemoryDevice {
  readonly type: 'memory-device-size';
  readonly size: number;
}

/**
 * A memory device has come to what was requested, does not get there, or goes on again after it did
 * not. Every request is followed by one, but those that another request overtakes.
 */
export interface ConvergenceEvent extends OfMemoryDevice {
  readonly type: 'memory-device-convergence';
  readonly state: 'stalled' | 'resumed' | 'converged';
  readonly reason: ConvergenceKind;
  /** The same, for people. */
  readonly cause: string;
  /** Bytes. */
  readonly size: number;
  readonly requestedSize: number;
}

/** The machine was reset. */
export interface ResetEvent {
  readonly type: 'reset';
  /** Whether the guest brought it about. */
  readonly guest: boolean;
  readonly kind: ResetKind;
  /** By what, for people. */
  readonly cause: string;
  /** Resets of this kind so far. */
  readonly count: number;
}

/** The guest used memory of a device that is not plugged. */
export interface ViolationEvent extends OfMemoryDevice, Omit<Violation, 'device'> {
  readonly type: 'violation';
  /** What follows. */
  readonly action: ViolationAction;
  /** Violations of this device so far. */
  readonly count: number;
}

/** What happens to a machine, as it happens. */
export type MachineEvent =
  | { readonly type: 'stop' }
  | { readonly type: 'resume' }
  | ResetEvent
  /** The machine has ended; nothing follows. */
  | { readonly type: 'shutdown'; readonly guest: boolean; readonly cause: string }
  /** The power button was pressed. */
  | { readonly type: 'powerdown' }
  /** The guest cannot go on, and the machine ends. Lines for people, a summary first. */
  | { readonly type: 'guest-fault'; readonly report: readonly string[] }
  | SizeEvent
  | ConvergenceEvent
  | ViolationEvent;

/**
 * Whether an event stands for an older one that nobody has seen yet: a guest may cause them faster
 * than anybody reads, and only the latest matters.
 */
export function supersedes(event: MachineEvent, older: MachineEvent): boolean {
  switch (event.type) {
    case 'reset':
      return older.type === 'reset' && event.guest && older.kind === event.kind;
    case 'memory-device-size':
    case 'memory-device-convergence':
    case 'violation':
      return older.type === event.type && older.id === event.id;
    default:
      return false;
  }
}

/** Who listens to a machine. One listener that fails does not keep the others from hearing. */
export class MachineEvents {
  readonly #listeners = new Set<(event: MachineEvent) => void>();

  /** @returns the way to stop listening */
  listen(listener: (event: MachineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(event: MachineEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        log('machine').error({ event: event.type, error: messageOf(error) }, 'a listener failed');
      }
    }
  }
}
