import { messageOf } from '../errors.ts';
import { log } from '../log.ts';

/** What happens to a machine, as it happens. */
export type MachineEvent =
  | { readonly type: 'stop' }
  | { readonly type: 'resume' }
  /** `guest`: the guest asked for it, `cause` says by what. */
  | { readonly type: 'reset'; readonly guest: boolean; readonly cause: string }
  /** The machine has ended; nothing follows. */
  | { readonly type: 'shutdown'; readonly guest: boolean; readonly cause: string }
  /** The power button was pressed. */
  | { readonly type: 'powerdown' }
  /** The plugged size of a memory device changed; bytes. */
  | {
      readonly type: 'memory-device-size';
      readonly id: string;
      readonly size: number;
      readonly path: string;
    };

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
