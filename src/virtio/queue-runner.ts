import type { DescriptorChain } from './descriptor-chain.ts';
import { PollWindow, POLLING } from './poll-window.ts';

/** Serves one request; a promise holds the next one back. */
export type ServeChain = (chain: DescriptorChain) => void | Promise<void>;

/** What the runner needs of its queue. */
export interface RunnableQueue {
  pop(): DescriptorChain | undefined;
  /** Looks `spins` times whether a request is available. */
  spin(spins: number): boolean;
  /** Asks the driver not to kick; it may all the same. */
  suppressNotifications(): void;
  /** Asks the driver to kick. @returns whether a request has come meanwhile, which may not kick */
  enableNotifications(): boolean;
  /**
   * Watching the ring costs more than it saves: it takes the CPU from the driver, or others take it from us.
   *
   * @returns whether that has been mended, so that it is worth another try
   */
  crowded(): boolean;
  /** `serve` threw: the queue cannot go on. */
  failed(error: unknown): void;
}

type RunnerState = 'idle' | 'scheduled' | 'running' | 'waiting' | 'stopped';

/**
 * Serves the requests of a queue in ring order.
 *
 * A kick starts a turn: requests are served until the ring is empty, then the ring is watched for
 * a window that adapts (PollWindow), and only when that passes in silence does the driver get its
 * notifications back. A turn that lasts POLLING.turnMs goes on in the next turn of the event loop.
 * An idle queue costs nothing: no timer, no watch.
 */
export class QueueRunner {
  readonly #queue: RunnableQueue;
  readonly #serve: ServeChain;
  readonly #clock: () => number;
  readonly #window = new PollWindow();
  #state: RunnerState = 'idle';
  #paused = false;
  /** A kick came, or a turn was cut short, while paused: there may be requests, and no kick to come. */
  #missed = false;
  #immediate: NodeJS.Immediate | undefined;
  /** When the turn has to give way, ms. */
  #deadline = 0;
  /** When the last request was done, ms: the silence counts from here. */
  #quietSince = Number.NEGATIVE_INFINITY;

  /** @param clock  milliseconds, for tests */
  constructor(queue: RunnableQueue, serve: ServeChain, clock: () => number = now) {
    this.#queue = queue;
    this.#serve = serve;
    this.#clock = clock;
  }

  get state(): RunnerState {
    return this.#state;
  }

  /** How long the ring is watched at present, ms. */
  get windowMs(): number {
    return this.#window.ms;
  }

  /** The driver kicked. Serves at once, on the caller's stack. */
  kick(): void {
    this.#missed ||= this.#paused;
    if (this.#state !== 'idle' || this.#paused || !this.#queue.spin(1)) return;
    const time = this.#clock();
    if (this.#window.woken(time - this.#quietSince)) this.#gaveUp();
    this.#turn(time);
  }

  /** Looks at the ring soon, from the event loop. */
  schedule(): void {
    this.#missed ||= this.#paused;
    if (this.#state !== 'idle' || this.#paused) return;
    this.#continueLater();
  }

  /** Serves nothing from now on; a request whose promise is under way ends. */
  pause(): void {
    this.#paused = true;
  }

  /**
   * Goes on, with what was kicked meanwhile. A ring that nobody kicked is not looked at: it may be
   * gone, as when one kernel has booted another, which lets us at memory before it resets us.
   */
  resume(): void {
    this.#paused = false;
    if (this.#missed) this.schedule();
    this.#missed = false;
  }

  /** For good. */
  stop(): void {
    this.#state = 'stopped';
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }

  #continueLater(): void {
    this.#state = 'scheduled';
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      this.#turn(this.#clock());
    });
  }

  #turn(time: number): void {
    this.#deadline = time + POLLING.turnMs;
    this.#state = 'running';
    this.#queue.suppressNotifications();
    this.#run();
  }

  #run(): void {
    while (this.#mayGoOn()) {
      const chain = this.#queue.pop();
      if (chain === undefined) {
        if (!this.#watch()) return;
        continue;
      }
      const pending = this.#serveOne(chain);
      if (pending !== undefined) {
        this.#wait(pending);
        return;
      }
      if (!this.#served()) return;
    }
  }

  /** Paused or stopped by what was just served? */
  #mayGoOn(): boolean {
    if (this.#state === 'stopped') return false;
    if (!this.#paused) return true;
    this.#state = 'idle';
    this.#missed = true;
    return false;
  }

  /** Notes the time after a request. @returns false when the turn is over */
  #served(): boolean {
    this.#quietSince = this.#clock();
    if (this.#quietSince < this.#deadline) return true;
    if (this.#mayGoOn()) this.#continueLater();
    return false;
  }

  /** The ring is empty: watches it, then sleeps. @returns whether to go on serving */
  #watch(): boolean {
    // Broken or stopped: its pop gives nothing, and its memory may not be looked at.
    if (this.#state === 'stopped') return false;
    const end = this.#quietSince + this.#window.ms;
    let time = this.#clock();
    while (time < end) {
      if (this.#queue.spin(POLLING.spins)) {
        this.#window.hit(time - this.#quietSince);
        return true;
      }
      const before = time;
      time = this.#clock();
      if (time - before > POLLING.preemptedMs) {
        if (this.#window.preempted()) this.#gaveUp();
        break;
      }
    }
    if (this.#queue.enableNotifications()) {
      this.#queue.suppressNotifications();
      return true;
    }
    this.#state = 'idle';
    return false;
  }

  #gaveUp(): void {
    if (this.#queue.crowded()) this.#window.tryAgain();
  }

  #serveOne(chain: DescriptorChain): Promise<void> | undefined {
    try {
      return this.#serve(chain) ?? undefined;
    } catch (error) {
      this.#queue.failed(error);
      return undefined;
    }
  }

  #wait(pending: Promise<void>): void {
    this.#state = 'waiting';
    pending.then(this.#settled, this.#rejected);
  }

  readonly #settled = (): void => {
    if (this.#state !== 'waiting') return;
    this.#state = 'running';
    // Promises that settle at once must not keep the event loop out: the deadline stands.
    if (this.#served()) this.#run();
  };

  readonly #rejected = (error: unknown): void => {
    this.#queue.failed(error);
    this.#settled();
  };
}

const now = (): number => performance.now();
