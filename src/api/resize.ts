import { ConfigError, errorCode, messageOf } from '../errors.ts';
import { isStuck } from '../machine/convergence-reporter.ts';
import { formatSize, parseSize } from '../units.ts';
import { checkTimeout, Deadline } from './deadline.ts';
import type { VmEvent } from './event-hub.ts';
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
  /**
   * How long to wait at most; Infinity is allowed. Default: as long as the guest does something, or
   * has no driver.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether a guest that does not go on ends the wait: it may try again by itself. Default: `wait`
   * where there is a time limit, which rules then, else `reject`.
   */
  readonly onStall?: 'reject' | 'wait' | undefined;
}

/** A resize whose time limit began before it did, as when its machine had to be reached first. */
export interface TimedResizeOptions extends ResizeOptions {
  /** performance.now(), in milliseconds. */
  readonly startedMs: number;
}

/** @throws ConfigError */
function checkOptions({ timeoutMs, onStall }: ResizeOptions): void {
  checkTimeout('timeoutMs', timeoutMs);
  const actions: readonly unknown[] = [undefined, 'reject', 'wait'];
  if (actions.includes(onStall)) return;
  throw new ConfigError('BAD_OPTION', `onStall=${String(onStall)}: must be reject or wait`);
}

/** What became of a resize that had so much time. @param where  how far it is, and why no further */
export function timeoutText(timeoutMs: number, where: string): string {
  return `not done after ${timeoutMs / 1000} s, ${where}`;
}

/** Of whom nothing has been heard at all. */
export const NO_ANSWER = 'the machine does not answer';

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
  readonly options: ResizeOptions | TimedResizeOptions;
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
  /** The guest does nothing that would bring it further. */
  #isStalled = false;
  #deadline: Deadline | undefined;
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
    const { options } = this.#wait;
    const { signal } = options;
    if (signal?.aborted === true) {
      this.#onAbort();
      return;
    }
    try {
      checkOptions(options);
      signal?.addEventListener('abort', this.#onAbort);
      this.#startDeadline(options);
      await this.#follow();
    } catch (error) {
      this.#settle(() => this.#wait.reject(error));
    }
  }

  #startDeadline(options: WaitOptions['options']): void {
    const { timeoutMs } = options;
    if (timeoutMs === undefined) return;
    const startedMs = 'startedMs' in options ? options.startedMs : this.#startedMs;
    const leftMs = Math.max(0, timeoutMs - (performance.now() - startedMs));
    this.#deadline = new Deadline(leftMs, () => this.#timedOut(timeoutMs));
  }

  async #follow(): Promise<void> {
    const { host, id } = this.#wait;
    const wake = (event?: VmEvent): void => {
      // A guest that starts anew has done nothing wrong yet.
      if (event?.type === 'reset') this.#activeMs = performance.now();
      this.#news = true;
      this.#wake();
    };
    this.#unlisten = host.hub.listen({ onEvent: wake, onEnd: () => wake() });
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
      // It may end between the two.
      if (errorCode(cause) === 'MACHINE_ENDED') throw this.#error('ENDED', messageOf(cause));
      throw refusedBy(id, cause);
    }
  }

  #judge(bytes: number, status: string, state: MemoryDeviceState): void {
    const { resolve } = this.#wait;
    this.#observe(status, state);
    if (state.requestedSize !== bytes) {
      const other = formatSize(state.requestedSize);
      this.#fail('SUPERSEDED', `${other} was requested instead of ${formatSize(bytes)}`);
    } else if (state.size === bytes) {
      this.#settle(() => resolve(state));
    } else if (status === 'ended') {
      this.#fail('ENDED', `the machine ended ${this.#progressText(bytes)}`);
    } else if (this.#isStalled && this.#endsWithStall()) {
      this.#fail('STALLED', `stalled ${this.#progressText(bytes)}: ${state.cause}`);
    }
  }

  /** Takes note of how the device is; whoever follows hears of sizes, and of stalls while they last. */
  #observe(status: string, state: MemoryDeviceState): void {
    const nowMs = performance.now();
    const before = this.#state;
    const hasMoved = before?.size !== state.size;
    // Without a driver nobody could do anything.
    if (hasMoved || status !== 'running' || state.convergence === 'no-driver') {
      this.#activeMs = nowMs;
    }
    const wasStalled = this.#isStalled;
    this.#isStalled = isStuck(state.convergence) && nowMs - this.#activeMs >= QUIET_MS;
    this.#state = state;
    const isOther = this.#isStalled && before?.convergence !== state.convergence;
    const isNews = !this.#endsWithStall() && (isOther || wasStalled !== this.#isStalled);
    if (hasMoved || isNews) this.#wait.progress.set(state);
  }

  #endsWithStall(): boolean {
    const { onStall, timeoutMs } = this.#wait.options;
    return (onStall ?? (timeoutMs === undefined ? 'reject' : 'wait')) === 'reject';
  }

  #progressText(bytes: number): string {
    return `at ${formatSize(this.#state?.size ?? 0)} of ${formatSize(bytes)}`;
  }

  #timedOut(timeoutMs: number): void {
    const state = this.#state;
    const where =
      state === undefined
        ? NO_ANSWER
        : `${this.#progressText(state.requestedSize)}: ${state.cause}`;
    this.#fail('TIMEOUT', timeoutText(timeoutMs, where));
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
    this.#deadline?.clear();
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
