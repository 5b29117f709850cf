import { describe, expect, it } from 'vitest';
import { DescriptorChain } from './descriptor-chain.ts';
import { POLLING } from './poll-window.ts';
import { QueueRunner, type RunnableQueue, type ServeChain } from './queue-runner.ts';
import { turnOfTheLoop } from './testing/event-loop.ts';
import { FakeGuestMemory } from './testing/fake-guest-memory.ts';

/** A queue of heads, and a clock that stands still unless the ring is watched. */
class FakeQueue implements RunnableQueue {
  time = 1000;
  /** Heads that wait. */
  readonly waiting: number[] = [];
  /** Called at each look at the ring with a number of spins. */
  onSpin: () => void = () => undefined;
  /** What the queue was asked, in order. */
  readonly calls: string[] = [];
  /** Whether there is room to be made when it is crowded. */
  room = false;
  /** A request that comes just before notifications are wanted again. */
  late: number | undefined;
  readonly #owner = { memory: new FakeGuestMemory(0), dead: false, fault: () => undefined };

  pop(): DescriptorChain | undefined {
    const head = this.waiting.shift();
    if (head === undefined) return undefined;
    const chain = new DescriptorChain(this.#owner);
    chain.begin(head);
    return chain;
  }

  spin(spins: number): boolean {
    if (spins > 1) {
      this.time += 0.001;
      this.onSpin();
    }
    return this.waiting.length > 0;
  }

  suppressNotifications(): void {
    this.calls.push('suppress');
  }

  enableNotifications(): boolean {
    this.calls.push('enable');
    if (this.late !== undefined) this.waiting.push(this.late);
    this.late = undefined;
    return this.waiting.length > 0;
  }

  crowded(): boolean {
    this.calls.push('crowded');
    return this.room;
  }

  failed(error: unknown): void {
    this.calls.push(`failed ${String(error)}`);
  }

  runner(serve: ServeChain): QueueRunner {
    return new QueueRunner(this, serve, () => this.time);
  }

  /** A runner that notes the heads it serves. */
  recorder(): QueueRunner {
    return this.runner((chain) => void this.calls.push(`serve ${chain.head}`));
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Kicks with two requests, so far apart that the window opens to its cap. */
function warmUp(queue: FakeQueue, runner: QueueRunner): void {
  for (let count = 0; count < 2; count++) {
    queue.time += 0.9 * POLLING.capMs;
    queue.waiting.push(0);
    runner.kick();
  }
  queue.calls.length = 0;
}

describe('a kick', () => {
  it('serves what is there in ring order, with notifications off meanwhile', () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    queue.waiting.push(5, 3, 4);
    runner.kick();
    expect(queue.calls).toEqual(['suppress', 'serve 5', 'serve 3', 'serve 4', 'enable']);
    expect(runner.state).toBe('idle');
  });

  it('that finds nothing does nothing', () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    runner.kick();
    expect(queue.calls).toEqual([]);
  });

  it('serves a request that came while notifications were being switched on', () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    queue.waiting.push(1);
    queue.late = 2;
    runner.kick();
    expect(queue.calls).toEqual(['suppress', 'serve 1', 'enable', 'suppress', 'serve 2', 'enable']);
  });
});

describe('watching', () => {
  it('does not happen when requests come far apart', () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    queue.onSpin = () => queue.calls.push('spin');
    for (let head = 0; head < 5; head++) {
      queue.time += 10;
      queue.waiting.push(head);
      runner.kick();
    }
    expect(queue.calls).not.toContain('spin');
  });

  it('ends when the thread does not run, and is given up when that goes on', () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    warmUp(queue, runner);
    queue.onSpin = () => (queue.time += 2 * POLLING.preemptedMs);
    while (!queue.calls.includes('crowded')) {
      expect(runner.windowMs).toBeGreaterThan(0);
      queue.waiting.push(0);
      runner.kick();
      expect(runner.state).toBe('idle');
    }
    expect(runner.windowMs).toBe(0);
  });

  it('goes on at once where room could be made', () => {
    const queue = new FakeQueue();
    queue.room = true;
    const runner = queue.recorder();
    warmUp(queue, runner);
    // Just after each window: it was in vain.
    while (!queue.calls.includes('crowded')) {
      queue.time += 0.001;
      queue.waiting.push(0);
      runner.kick();
    }
    expect(runner.windowMs).toBeGreaterThan(0);
  });

  it('finds the next request without a kick, and ends with the window', () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    warmUp(queue, runner);
    expect(runner.windowMs).toBe(POLLING.capMs);
    let arrivals = 3;
    let spins = 0;
    queue.onSpin = () => {
      spins += 1;
      if (spins === 20 && arrivals > 0) {
        queue.waiting.push(arrivals);
        arrivals -= 1;
        spins = 0;
      }
    };
    queue.time += 0.01;
    queue.waiting.push(9);
    runner.kick();
    expect(queue.calls).toEqual(['suppress', 'serve 9', 'serve 3', 'serve 2', 'serve 1', 'enable']);
    expect(spins * 0.001).toBeCloseTo(runner.windowMs, 2);
  });

  it('gives way to other events when the turn has lasted long enough', async () => {
    const queue = new FakeQueue();
    let served = 0;
    const runner = queue.runner(() => {
      served += 1;
      queue.time += 0.01;
      queue.waiting.push(served);
    });
    queue.waiting.push(0);
    runner.kick();
    expect(runner.state).toBe('scheduled');
    const first = served;
    expect(first * 0.01).toBeGreaterThanOrEqual(POLLING.turnMs - 0.01);
    expect(first * 0.01).toBeLessThan(POLLING.turnMs + 0.02);
    await turnOfTheLoop();
    expect(served).toBeGreaterThan(first);
    runner.stop();
    const last = served;
    await turnOfTheLoop();
    expect(served).toBe(last);
  });
});

describe('a promise', () => {
  it('holds the next request back', async () => {
    const queue = new FakeQueue();
    const { promise, resolve } = deferred();
    const runner = queue.runner((chain) => {
      queue.calls.push(`serve ${chain.head}`);
      return chain.head === 1 ? promise : undefined;
    });
    queue.waiting.push(1, 2);
    runner.kick();
    runner.kick();
    await turnOfTheLoop();
    expect(runner.state).toBe('waiting');
    expect(queue.calls).toEqual(['suppress', 'serve 1']);
    resolve();
    await promise;
    await turnOfTheLoop();
    expect(queue.calls).toEqual(['suppress', 'serve 1', 'serve 2', 'enable']);
  });

  it('that is settled already does not keep the event loop out', async () => {
    const queue = new FakeQueue();
    let served = 0;
    const runner = queue.runner(() => {
      served += 1;
      queue.time += 0.01;
      queue.waiting.push(served);
      return Promise.resolve();
    });
    queue.waiting.push(0);
    runner.kick();
    // Would never come if promises went on for ever.
    await turnOfTheLoop();
    expect(served).toBeGreaterThan(1);
    runner.stop();
  });

  it('that settles after the end is of no interest', async () => {
    const queue = new FakeQueue();
    const { promise, resolve } = deferred();
    const runner = queue.runner(() => promise);
    queue.waiting.push(1, 2);
    runner.kick();
    runner.stop();
    resolve();
    await turnOfTheLoop();
    expect(runner.state).toBe('stopped');
    expect(queue.waiting).toEqual([2]);
  });

  it('that is rejected is the queue’s to report', async () => {
    const queue = new FakeQueue();
    const runner = queue.runner(() => Promise.reject(new Error('lost')));
    queue.waiting.push(1);
    runner.kick();
    await turnOfTheLoop();
    expect(queue.calls).toContain('failed Error: lost');
  });
});

describe('a pause', () => {
  it('serves nothing until it ends, whatever kicks come', async () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    runner.pause();
    queue.waiting.push(1);
    runner.kick();
    runner.schedule();
    await turnOfTheLoop();
    expect(queue.calls).toEqual([]);
    runner.resume();
    await turnOfTheLoop();
    expect(queue.calls).toContain('serve 1');
  });

  it('in which nobody kicked leaves the ring alone when it ends', async () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    for (let round = 0; round < 2; round++) {
      runner.pause();
      if (round === 0) runner.kick();
      runner.resume();
      await turnOfTheLoop();
      expect(queue.calls.length > 0).toBe(round === 0);
      queue.calls.length = 0;
    }
  });

  it('from within a request takes effect after it', async () => {
    const queue = new FakeQueue();
    const runner: QueueRunner = queue.runner((chain) => {
      queue.calls.push(`serve ${chain.head}`);
      runner.pause();
    });
    queue.waiting.push(1, 2);
    runner.kick();
    expect(queue.calls).toEqual(['suppress', 'serve 1']);
    runner.resume();
    await turnOfTheLoop();
    expect(queue.calls).toContain('serve 2');
  });

  it('while a turn is due holds that turn back', async () => {
    const queue = new FakeQueue();
    const runner = queue.recorder();
    queue.waiting.push(1);
    runner.schedule();
    runner.pause();
    await turnOfTheLoop();
    expect(queue.calls).not.toContain('serve 1');
    runner.resume();
    await turnOfTheLoop();
    expect(queue.calls).toContain('serve 1');
  });
});

describe('the end', () => {
  it('from within a request leaves the rest', () => {
    const queue = new FakeQueue();
    const runner: QueueRunner = queue.runner(() => runner.stop());
    queue.waiting.push(1, 2);
    runner.kick();
    expect(runner.state).toBe('stopped');
    expect(queue.waiting).toEqual([2]);
    expect(queue.calls).toEqual(['suppress']);
  });
});
