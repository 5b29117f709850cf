import type { MachineControl } from '../machine/control.ts';
import type {
  ConvergenceEvent,
  MachineEvent,
  ResetEvent,
  SizeEvent,
  ViolationEvent,
} from '../machine/events.ts';
import type { QmpEvent, ShutdownReason } from './schema/events.ts';
import { Throttle } from './throttle.ts';

/** An event and when it happened: milliseconds since the epoch. */
export interface TimedEvent {
  readonly event: QmpEvent;
  readonly atMs: number;
  /** Of two that wait for a client, the later one with the same subject is enough. */
  readonly subject?: string;
}

interface Timed<T> {
  readonly what: T;
  readonly atMs: number;
}

export interface EventSourceOptions {
  readonly control: Pick<MachineControl, 'memoryDevices'>;
  /** Between two events of a kind about one device, in milliseconds. */
  readonly intervalMs: number;
  readonly publish: (event: TimedEvent) => void;
}

/**
 * Turns what happens to a machine into events of the protocol. What a guest can cause as often as it
 * likes goes through a throttle, by device.
 */
export class EventSource {
  readonly #publish: (event: TimedEvent) => void;
  /** The size that was told last, by device; at first that of a machine with nobody to tell. */
  readonly #told: Map<string, number>;
  readonly #sizes: Throttle<Timed<SizeEvent>>;
  readonly #convergence: Throttle<Timed<ConvergenceEvent>>;
  readonly #violations: Throttle<Timed<ViolationEvent>>;
  readonly #resets: Throttle<Timed<ResetEvent>>;

  constructor({ control, intervalMs, publish }: EventSourceOptions) {
    this.#publish = publish;
    this.#told = new Map(control.memoryDevices().map(({ id, size }) => [id, size]));
    this.#sizes = new Throttle(intervalMs, (timed) => this.#sizeChanged(timed));
    this.#convergence = new Throttle(intervalMs, (timed) => this.#converged(timed));
    this.#resets = new Throttle(intervalMs, (timed) => this.#reset(timed));
    this.#violations = new Throttle(intervalMs, (timed) => this.#violated(timed));
  }

  readonly happened = (event: MachineEvent): void => {
    const atMs = Date.now();
    switch (event.type) {
      case 'stop':
        this.#publish({ event: { event: 'STOP', data: {} }, atMs });
        return;
      case 'resume':
        this.#publish({ event: { event: 'RESUME', data: {} }, atMs });
        return;
      case 'powerdown':
        this.#publish({ event: { event: 'POWERDOWN', data: {} }, atMs });
        return;
      case 'reset':
        // What a monitor asked for is answered at once.
        if (event.guest) this.#resets.push(event.kind, { what: event, atMs });
        else this.#reset({ what: event, atMs });
        return;
      case 'guest-fault': {
        const data = { action: 'poweroff', 'x-tsvmm-report': event.report } as const;
        this.#publish({ event: { event: 'GUEST_PANICKED', data }, atMs });
        return;
      }
      case 'shutdown':
        // Nothing comes after it: what waits for its turn is told before.
        for (const each of this.#throttles()) each.flush();
        this.#publish({ event: shutdownEvent(event), atMs });
        return;
      case 'memory-device-size':
        this.#sizes.push(event.id, { what: event, atMs });
        return;
      case 'memory-device-convergence':
        this.#convergence.push(event.id, { what: event, atMs });
        return;
      case 'violation':
        this.#violations.push(event.id, { what: event, atMs });
    }
  };

  /** Says no more. */
  close(): void {
    for (const each of this.#throttles()) each.close();
  }

  #throttles(): readonly Pick<Throttle<unknown>, 'flush' | 'close'>[] {
    return [this.#resets, this.#sizes, this.#convergence, this.#violations];
  }

  #reset({ what, atMs }: Timed<ResetEvent>): void {
    const { guest, kind, count } = what;
    const reason = resetReason(what);
    const data = { guest, reason, 'x-tsvmm-kind': kind, 'x-tsvmm-count': count };
    const subject = guest ? { subject: `reset by ${kind}` } : {};
    this.#publish({ event: { event: 'RESET', data }, atMs, ...subject });
  }

  #sizeChanged({ what: { id, size, path }, atMs }: Timed<SizeEvent>): void {
    // A reset, or a guest that takes back what it has done, may leave things as they were.
    if (this.#told.get(id) === size) return;
    this.#told.set(id, size);
    const data = { id, size, 'qom-path': path };
    const event = { event: 'MEMORY_DEVICE_SIZE_CHANGE', data } as const;
    this.#publish({ event, atMs, subject: `size of ${id}` });
  }

  #converged({ what, atMs }: Timed<ConvergenceEvent>): void {
    const { id, path, size, requestedSize, reason, cause, state } = what;
    // The size that it speaks of comes first.
    this.#sizes.hurry(id);
    const about = { id, size, 'qom-path': path };
    const data = { ...about, 'requested-size': requestedSize, reason, cause };
    const event = { event: CONVERGENCE_EVENTS[state], data };
    this.#publish({ event, atMs, subject: `convergence of ${id}` });
  }

  #violated({ what, atMs }: Timed<ViolationEvent>): void {
    const { id, path, vcpu, gpa, rip, access, action, count } = what;
    const data = { id, 'qom-path': path, 'cpu-index': vcpu, gpa, rip, access, action, count };
    const event = { event: 'X_TSVMM_MEMORY_DEVICE_VIOLATION', data } as const;
    this.#publish({ event, atMs, subject: `violation of ${id}` });
  }
}

const CONVERGENCE_EVENTS = {
  converged: 'X_TSVMM_MEMORY_DEVICE_CONVERGED',
  stalled: 'X_TSVMM_MEMORY_DEVICE_STALLED',
  resumed: 'X_TSVMM_MEMORY_DEVICE_RESUMED',
} as const;

function resetReason({ guest }: { readonly guest: boolean }): ShutdownReason {
  return guest ? 'guest-reset' : 'host-qmp-system-reset';
}

const SHUTDOWN_REASONS: Readonly<Record<string, ShutdownReason>> = {
  'power-off': 'guest-shutdown',
  reboot: 'guest-reset',
  quit: 'host-qmp-quit',
  signal: 'host-signal',
};

function shutdownEvent(happened: { readonly guest: boolean; readonly cause: string }): QmpEvent {
  const { guest, cause } = happened;
  const reason = SHUTDOWN_REASONS[cause] ?? (guest ? 'guest-panic' : 'host-error');
  return { event: 'SHUTDOWN', data: { guest, reason } };
}
