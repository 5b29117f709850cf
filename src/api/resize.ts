import { ConfigError, messageOf } from '../errors.ts';
import { isStuck } from '../machine/convergence-reporter.ts';
import { formatSize, parseSize } from '../units.ts';
import type { MemoryDeviceState, MemoryHost } from './memory-host.ts';
import type { Size } from './options.ts';
import { LatestValue } from './latest-value.ts';
import { ResizeError, type ResizeFailure } from './resize-error.ts';

/** Between two looks at a device that says nothing, in milliseconds. */
const LOOK_MS = 500;
/** How long a guest that could go on may do nothing, in milliseconds. */
const QUIET_MS = 5_000;

export interface ResizeOptions {
  /** Gives up waiting; rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait at most. Default: as long as the guest does something, or has no driver. */
  readonly timeoutMs?: number | undefined;
  /** Whether a guest that does not go on ends the wait: it may try again. Default: `reject`. */
  readonly onStall?: 'reject' | 'wait' | undefined;
}

/** @throws ConfigError */
export function sizeBytes(id: string, size: Size): number {
  if (typeof size === 'string') return parseSize(size, `${id} size`);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new ConfigError('BAD_SIZE', `${id} size=${size}: not a whole number of bytes`);
}

/** A request that failed, as its caller should hear of it. */
export function refusedBy(id: string, cause: unknown): unknown {
  if (!(cause instanceof ConfigError)) return cause;
  const why = messageOf(cause).replace(`${id}: `, '');
  return new ResizeError('REFUSED', why, { device: id, cause });
}

/** A resize under way: a promise of its end, and an iterable of the device's states until then. */
export class Resize implements Promise<MemoryDeviceState>, AsyncIterable<MemoryDeviceState> {
  readonly [Symbol.toStringTag] = 'Resize';
  readonly #result: Promise<MemoryDeviceState>;
  readonly #progress = new LatestValue<MemoryDeviceState>();

  constructor(host: MemoryHost, id: string, size: Size, options: ResizeOptions) {
    const progress = this.#progress;
    this.#result = new Promise((resolve, reject) => {
      const wait = new ResizeWait({ host, id, size, options, progress, resolve, reject });
      void wait.run();
    });
  }

  then<Result = MemoryDeviceState, Failure = never>(
    onResolved?: ((state: MemoryDeviceState) => Result | PromiseLike<Result>) | null,
    onRejected?: ((error: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Result | Failure> {
    return this.#result.then(onResolved, onRejected);
  }

  catch<Failure = never>(
    onRejected?: ((error: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<MemoryDeviceState | Failure> {
    return this.#result.catch(onRejected);
  }

  finally(onSettled?: (() => void) | null): Promise<MemoryDeviceState> {
    return this.#result.finally(onSettled);
  }

  /**
   * States as they change; the last is the one asked for. Throws what the promise rejects with. A
   * reader that is slow misses states, never the last. Leaving the loop does not end the resize.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<MemoryDeviceState, void, undefined> {
    // Whoever iterates hears of a failure here, and need not await the promise too.
    this.#result.catch(() => undefined);
    let seen = 0;
    for (;;) {
      const next = await this.#progress.after(seen);
      if (next === undefined) break;
      seen = next.version;
      yield next.value;
    }
    await this.#result;
  }
}

interface WaitOptions {
  readonly host: MemoryHost;
  readonly id: string;
  readonly size: Size;
  readonly options: ResizeOptions;
  readonly progress: LatestValue<MemoryDeviceState>;
  readonly resolve: (state: MemoryDeviceState) => void;
  readonly reject: (error: unknown) => void;
}

/** Looks at a device, whenever it says something or has been silent, until its resize is decided. */
class ResizeWait {
  readonly #wait: WaitOptions;
  readonly #startedMs = performance.now();
  #settled = false;
  #state: MemoryDeviceState | undefined;
  /** When the guest last did something, or could not. */
  #activeMs = this.#startedMs;
  /** Something has happened since the last look. */
  #news = false;
  #wake: () => void = () => undefined;
  #deadline: NodeJS.Timeout | undefined;
  #unlisten: () => void = () => undefined;
  readonly #onAbort = (): void => {
    const reason: unknown = this.#wait.options.signal?.reason;
    this.#settle(() => this.#wait.reject(reason));
  };

  constructor(wait: WaitOptions) {
    this.#wait = wait;
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const { signal, timeoutMs } = this.#wait.options;
    if (signal?.aborted === true) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener('abort', this.#onAbort);
    if (timeoutMs !== undefined) {
      this.#deadline = setTimeout(() => this.#timedOut(timeoutMs), timeoutMs);
    }
    try {
      await this.#follow();
    } catch (error) {
      this.#settle(() => this.#wait.reject(error));
    }
  }

  async #follow(): Promise<void> {
    const { host, id } = this.#wait;
    const wake = (): void => {
      this.#news = true;
      this.#wake();
    };
    this.#unlisten = host.hub.listen({ onEvent: wake, onEnd: wake });
    const bytes = await this.#request();
    while (!this.#isSettled()) {
      this.#news = false;
      const status = await host.status();
      const state = await host.state(id);
      if (!this.#isSettled()) this.#judge(bytes, status, state);
      if (!this.#isSettled()) await this.#silence();
    }
    this.#unlisten();
  }

  async #request(): Promise<number> {
    const { host, id, size } = this.#wait;
    try {
      if ((await host.status()) === 'ended') throw this.#error('ENDED', 'the machine has ended');
      const bytes = sizeBytes(id, size);
      await host.request(id, bytes);
      return bytes;
    } catch (cause) {
      throw refusedBy(id, cause);
    }
  }

  #judge(bytes: number, status: string, state: MemoryDeviceState): void {
    const { options, progress, resolve } = this.#wait;
    const nowMs = performance.now();
    if (this.#state?.size !== state.size) {
      this.#activeMs = nowMs;
      progress.set(state);
    }
    if (status !== 'running') this.#activeMs = nowMs;
    this.#state = state;
    if (state.requestedSize !== bytes) {
      const other = formatSize(state.requestedSize);
      this.#fail('SUPERSEDED', `${other} was requested instead of ${formatSize(bytes)}`);
    } else if (state.size === bytes) {
      this.#settle(() => resolve(state));
    } else if (status === 'ended') {
      this.#fail('ENDED', `the machine ended ${this.#progressText(bytes)}`);
    } else if (
      options.onStall !== 'wait' &&
      isStuck(state.convergence) &&
      nowMs - this.#activeMs >= QUIET_MS
    ) {
      this.#fail('STALLED', `stalled ${this.#progressText(bytes)}: ${state.cause}`);
    }
  }

  #progressText(bytes: number): string {
    return `at ${formatSize(this.#state?.size ?? 0)} of ${formatSize(bytes)}`;
  }

  #timedOut(timeoutMs: number): void {
    const state = this.#state;
    const where =
      state === undefined
        ? 'the machine does not answer'
        : `${this.#progressText(state.requestedSize)}: ${state.cause}`;
    this.#fail('TIMEOUT', `not done after ${timeoutMs / 1000} s, ${where}`);
  }

  #error(code: ResizeFailure, message: string): ResizeError {
    return new ResizeError(code, message, { device: this.#wait.id, state: this.#state });
  }

  #fail(code: ResizeFailure, message: string): void {
    const error = this.#error(code, message);
    this.#settle(() => this.#wait.reject(error));
  }

  /** A method, since it changes while something is awaited. */
  #isSettled(): boolean {
    return this.#settled;
  }

  #settle(tell: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#deadline);
    this.#wait.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#unlisten();
    this.#wake();
    this.#wait.progress.end();
    tell();
  }

  /** Until something happens, or nothing for a while. */
  async #silence(): Promise<void> {
    if (this.#news) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
