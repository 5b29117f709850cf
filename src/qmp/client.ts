import { log } from '../log.ts';
import type { Endpoint } from '../terminal/endpoint.ts';
import { ValueSplitter } from './json/value-splitter.ts';
import type { EventName } from './schema/events.ts';
import type { Job, QmpSession } from './session.ts';

const logger = log('qmp');

/** A human monitor's longest line fits, whatever is escaped in it. */
const LIMITS = { bytes: 512 * 1024, depth: 64 } as const;
/** Commands that wait behind one that runs, so that an out-of-band command behind them is seen. */
const IN_BAND_LIMIT = 8;
/** Events that wait for a client that does not read; with one more it is cut off. */
const EVENT_LIMIT = 256;

/** An event as it is sent. */
export interface EventMessage {
  readonly name: EventName;
  readonly text: string;
  /** While both wait, an event takes the place of an earlier one with the same subject. */
  readonly subject: string | undefined;
}

/** Lets the event loop do other work: a client may send thousands of commands at once. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * One client of the protocol. Commands run one after the other, but those that go out of band. While
 * enough of them wait, and while the client does not read, no input is taken, so that whatever it
 * does waits in its own socket.
 */
export class QmpClient {
  /** Resolves when the client will get nothing more. */
  readonly done: Promise<void>;
  readonly #endpoint: Endpoint;
  readonly #session: QmpSession;
  readonly #splitter = new ValueSplitter(LIMITS);
  #finish: () => void = () => undefined;
  /** In-band commands that wait for their turn. */
  #jobs: Job[] = [];
  /** In-band commands that have come and are not answered. */
  #unanswered = 0;
  #running = false;
  #oobRunning = false;
  /** The client does not read: nothing is sent until it does. */
  #held = false;
  /** Called when the client has read, or is gone. */
  #wakers: (() => void)[] = [];
  #events: EventMessage[] = [];
  #inputEnded = false;
  #gone = false;

  constructor(endpoint: Endpoint, session: QmpSession) {
    this.#endpoint = endpoint;
    this.#session = session;
    this.done = new Promise((resolve) => (this.#finish = resolve));
    endpoint.onDrain(() => this.#drained());
    endpoint.onClose(() => this.#end());
    this.#send(session.greeting());
    endpoint.onEnd(() => {
      this.#inputEnded = true;
      this.#read();
    });
    endpoint.onInput((bytes) => {
      endpoint.pauseInput();
      this.#splitter.push(bytes);
      this.#read();
    });
  }

  /** Tells the client of an event, if it wants to hear of it: now, or when it reads again. */
  publish(event: EventMessage): void {
    if (this.#gone || !this.#session.wants(event.name)) return;
    if (!this.#held) {
      this.#send(event.text);
      return;
    }
    if (event.subject !== undefined) {
      this.#events = this.#events.filter(({ subject }) => subject !== event.subject);
    }
    this.#events.push(event);
    if (this.#events.length <= EVENT_LIMIT) return;
    logger.warn({}, `a client that does not read has missed ${EVENT_LIMIT} events: cut off`);
    this.#end();
  }

  /** Nothing more is read or sent. */
  #end(): void {
    this.#gone = true;
    this.#jobs = [];
    this.#events = [];
    this.#wakeUp();
    this.#finish();
  }

  #canRead(): boolean {
    const limit = this.#session.oob ? IN_BAND_LIMIT : 1;
    return !this.#gone && !this.#held && !this.#oobRunning && this.#unanswered < limit;
  }

  /** Takes what has come, as far as it may; asks for more when there is nothing left. */
  #read(): void {
    while (this.#canRead()) {
      const next = this.#splitter.next();
      if (next === undefined) {
        if (!this.#inputEnded) this.#endpoint.resumeInput();
        else if (this.#unanswered === 0) this.#end();
        return;
      }
      const job = this.#session.accept(next);
      if (job.oob) {
        void this.#runOob(job);
      } else {
        this.#unanswered += 1;
        this.#jobs.push(job);
        void this.#runJobs();
      }
    }
  }

  async #runJobs(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      await this.#answer(job);
      this.#unanswered -= 1;
      this.#read();
    }
    this.#running = false;
  }

  async #runOob(job: Job): Promise<void> {
    this.#oobRunning = true;
    await this.#answer(job);
    this.#oobRunning = false;
    this.#read();
  }

  /** Does a job, and waits until the client has taken its answer. */
  async #answer(job: Job): Promise<void> {
    const text = await job.respond();
    if (this.#gone) return;
    this.#send(text);
    if (job.fatal) {
      this.#end();
      return;
    }
    if (this.#held) await new Promise<void>((resolve) => this.#wakers.push(resolve));
    await breathe();
  }

  #send(text: string): void {
    if (!this.#endpoint.write(text)) this.#held = true;
  }

  #drained(): void {
    this.#held = false;
    if (!this.#sendEvents()) return;
    this.#wakeUp();
    this.#read();
  }

  /** @returns whether nothing waits any more and the client reads */
  #sendEvents(): boolean {
    let event = this.#events.shift();
    while (event !== undefined) {
      this.#send(event.text);
      event = this.#held ? undefined : this.#events.shift();
    }
    return !this.#held;
  }

  #wakeUp(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }
}
