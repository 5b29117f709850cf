import type { MachineControl } from '../machine/control.ts';
import type { MachineEvent } from '../machine/events.ts';
import type { QmpEvent, ShutdownReason } from './schema/events.ts';
import { Throttle } from './throttle.ts';

type SizeEvent = Extract<MachineEvent, { type: 'memory-device-size' }>;

/** An event and when it happened: milliseconds since the epoch. */
export interface TimedEvent {
  readonly event: QmpEvent;
  readonly atMs: number;
}

export interface EventSourceOptions {
  readonly control: MachineControl;
  /** Between two events about the size of one device, in milliseconds. */
  readonly intervalMs: number;
  readonly publish: (event: TimedEvent) => void;
}

/** Turns what happens to a machine into events of the protocol. */
export class EventSource {
  readonly #control: MachineControl;
  readonly #publish: (event: TimedEvent) => void;
  /** The size that was told last, by device; at first that of a machine with nobody to tell. */
  readonly #told: Map<string, number>;
  readonly #sizes: Throttle<{ readonly change: SizeEvent; readonly atMs: number }>;

  constructor({ control, intervalMs, publish }: EventSourceOptions) {
    this.#control = control;
    this.#publish = publish;
    this.#told = new Map(control.memoryDevices().map(({ id, size }) => [id, size]));
    this.#sizes = new Throttle(intervalMs, ({ change, atMs }) => this.#sizeChanged(change, atMs));
  }

  readonly happened = (event: MachineEvent): void => {
    switch (event.type) {
      case 'stop':
        this.#now({ event: 'STOP', data: {} });
        return;
      case 'resume':
        this.#now({ event: 'RESUME', data: {} });
        return;
      case 'powerdown':
        this.#now({ event: 'POWERDOWN', data: {} });
        return;
      case 'reset':
        this.#now({ event: 'RESET', data: { guest: event.guest, reason: resetReason(event) } });
        return;
      case 'shutdown':
        this.#shutdown(event);
        return;
      case 'memory-device-size':
        this.#sizes.push(event.id, { change: event, atMs: Date.now() });
    }
  };

  /** Says no more. */
  close(): void {
    this.#sizes.close();
  }

  #now(event: QmpEvent): void {
    this.#publish({ event, atMs: Date.now() });
  }

  #shutdown(event: Extract<MachineEvent, { type: 'shutdown' }>): void {
    // Nothing comes after it: sizes that wait for their turn are told before.
    this.#sizes.flush();
    const reason = shutdownReason(event);
    if (reason === 'guest-panic') {
      this.#now({ event: 'GUEST_PANICKED', data: { action: 'poweroff' } });
    }
    this.#now({ event: 'SHUTDOWN', data: { guest: event.guest, reason } });
  }

  #sizeChanged({ id, size, path }: SizeEvent, atMs: number): void {
    // A reset, or a guest that takes back what it has done, may leave things as they were.
    if (this.#told.get(id) === size) return;
    this.#told.set(id, size);
    const data = { id, size, 'qom-path': path };
    this.#publish({ event: { event: 'MEMORY_DEVICE_SIZE_CHANGE', data }, atMs });
    const device = this.#control.memoryDevices().find((it) => it.id === id);
    if (device?.requestedSize !== size) return;
    this.#publish({ event: { event: 'X_TSVMM_MEMORY_DEVICE_CONVERGED', data }, atMs });
  }
}

function resetReason({ guest }: { readonly guest: boolean }): ShutdownReason {
  return guest ? 'guest-reset' : 'host-qmp-system-reset';
}

const SHUTDOWN_REASONS: Readonly<Record<string, ShutdownReason>> = {
  'power-off': 'guest-shutdown',
  reboot: 'guest-reset',
  quit: 'host-qmp-quit',
  signal: 'host-signal',
};

function shutdownReason(event: {
  readonly guest: boolean;
  readonly cause: string;
}): ShutdownReason {
  return SHUTDOWN_REASONS[event.cause] ?? (event.guest ? 'guest-panic' : 'host-error');
}
