import type { MachineEvent } from '../machine/events.ts';

/** What happens to a machine. `shutdown` is the last. */
export type VmEvent = MachineEvent;

interface Listener {
  readonly onEvent: (event: VmEvent) => void;
  /** Nothing more comes; `error` says why when that is not as it should be. */
  readonly onEnd: (error: Error | undefined) => void;
}

/** Hands what happens to those who listen, and tells them when that is over. */
export class EventHub {
  readonly #listeners = new Set<Listener>();
  #end: { readonly error: Error | undefined } | undefined;

  /** @returns the way to stop listening; idempotent */
  listen(listener: Listener): () => void {
    if (this.#end !== undefined) listener.onEnd(this.#end.error);
    else this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: VmEvent): void {
    for (const { onEvent } of [...this.#listeners]) onEvent(event);
  }

  /** Idempotent. */
  end(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const { onEnd } of listeners) onEnd(error);
  }
}
