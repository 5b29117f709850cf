import { HostError } from '../errors.ts';
import { supersedes } from '../machine/events.ts';
import type { EventHub, VmEvent } from './event-hub.ts';

/** Events that wait for a reader who does not read; with one more it is told that it missed some. */
const LIMIT = 1024;

export interface EventsOptions {
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined;
}

interface Reader {
  readonly resolve: (result: IteratorResult<VmEvent, undefined>) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Events from the moment it is made, one reader's. What is not read waits: of those that a guest can
 * cause at will the latest of each memory device, of others up to a limit.
 */
export class EventStream implements AsyncIterableIterator<VmEvent, undefined> {
  readonly #signal: AbortSignal | undefined;
  readonly #unlisten: () => void;
  readonly #onAbort = (): void => this.#finish(undefined);
  #waiting: VmEvent[] = [];
  #readers: Reader[] = [];
  #done = false;
  /** Told once, to the next who asks. */
  #error: Error | undefined;

  constructor(hub: EventHub, { signal }: EventsOptions = {}) {
    this.#signal = signal;
    // Before it is there, for a hub that has ended already.
    this.#unlisten = () => stop();
    const stop = hub.listen({
      onEvent: (event) => this.#push(event),
      onEnd: (error) => this.#finish(error),
    });
    if (signal?.aborted === true) this.#finish(undefined);
    else if (!this.#done) signal?.addEventListener('abort', this.#onAbort);
  }

  next(): Promise<IteratorResult<VmEvent, undefined>> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) return Promise.reject(error);
    if (this.#done) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<VmEvent, undefined>> {
    this.#finish(undefined);
    this.#waiting = [];
    return Promise.resolve({ done: true, value: undefined });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #push(event: VmEvent): void {
    // The hub is left a moment later than the stream is over.
    if (this.#done) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: event });
      return;
    }
    this.#waiting = this.#waiting.filter((it) => !supersedes(event, it));
    this.#waiting.push(event);
    if (this.#waiting.length <= LIMIT) return;
    this.#waiting = [];
    this.#finish(new HostError('EVENTS_LOST', `more than ${LIMIT} events were not read`));
  }

  #finish(error: Error | undefined): void {
    if (this.#done) return;
    this.#done = true;
    this.#error = error;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    // A hub that has ended calls from within listen(), when there is nothing to stop yet.
    queueMicrotask(this.#unlisten);
    for (const { resolve, reject } of this.#readers.splice(0)) {
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
      this.#error = undefined;
    }
  }
}
