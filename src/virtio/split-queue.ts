import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import { messageOf } from '../errors.ts';
import { ChainWalker } from './chain-walker.ts';
import { DescriptorChain, type ChainOwner } from './descriptor-chain.ts';
import { QueueRunner, type ServeChain } from './queue-runner.ts';
import { RingMemory, type RingAddresses } from './ring-memory.ts';
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_USED_F_NO_NOTIFY,
} from './spec.ts';

export type { DescriptorChain } from './descriptor-chain.ts';
export type { ServeChain } from './queue-runner.ts';

export interface SplitQueueOptions {
  /** Which of the device's queues. */
  readonly index: number;
  /** Entries, as the driver chose: a power of two to 32768. */
  readonly size: number;
  readonly addresses: RingAddresses;
  /** Accepted features: INDIRECT_DESC and EVENT_IDX matter. */
  readonly features: bigint;
  readonly memory: GuestMemoryAccess;
  /** The driver wants to hear of used buffers. */
  readonly interrupt: () => void;
  /** See RunnableQueue. */
  readonly crowded: () => boolean;
  /** The queue is broken; told once. */
  readonly broken: (reason: string) => void;
}

/** Where a queue stands, for the monitor. */
export interface SplitQueueInfo {
  readonly index: number;
  readonly size: number;
  readonly addresses: RingAddresses;
  /** Next avail entry that will be taken, and next used entry that will be filled; 0 to 65535. */
  readonly nextAvail: number;
  readonly nextUsed: number;
  /** Requests taken and not completed. */
  readonly inFlight: number;
  /** Requests taken in all. */
  readonly requests: number;
  /** `unserved` when the device does not use `start`. */
  readonly runner: QueueRunner['state'] | 'unserved';
  readonly pollWindowMs: number;
  readonly broken: string | undefined;
}

/**
 * A split virtqueue, from the device's side (virtio 1.3 §2.7).
 *
 * Everything the driver wrote is checked. Whatever is wrong breaks the queue, once and until the
 * reset: `broken` is told, `pop` gives nothing and completions are dropped.
 */
export class SplitQueue {
  readonly index: number;
  readonly size: number;
  readonly #options: SplitQueueOptions;
  readonly #ring: RingMemory;
  readonly #walker: ChainWalker;
  readonly #eventIdx: boolean;
  readonly #owner: ChainOwner & { dead: boolean };
  /** Which heads the device has and the driver may not offer again. */
  readonly #taken: Uint8Array;
  readonly #spare: DescriptorChain[] = [];
  #inFlight = 0;
  #requests = 0;
  #nextAvail = 0;
  #nextUsed = 0;
  #broken: string | undefined;
  #runner: QueueRunner | undefined;
  #paused = false;

  /** Maps the rings; when they are not where they may be, the queue is born broken. */
  constructor(options: SplitQueueOptions) {
    const { index, size, addresses, features, memory } = options;
    this.index = index;
    this.size = size;
    this.#options = options;
    this.#taken = new Uint8Array(size);
    this.#eventIdx = (features & VIRTIO_F_EVENT_IDX) !== 0n;
    this.#walker = new ChainWalker(memory, size, (features & VIRTIO_F_INDIRECT_DESC) !== 0n);
    this.#owner = { memory, dead: false, fault: (reason) => this.#fault(reason) };
    this.#ring = new RingMemory(memory, addresses, size);
    const fault = this.#ring.map();
    if (fault !== undefined) this.#fault(fault);
  }

  get info(): SplitQueueInfo {
    return {
      index: this.index,
      size: this.size,
      addresses: this.#options.addresses,
      nextAvail: this.#nextAvail,
      nextUsed: this.#nextUsed,
      inFlight: this.#inFlight,
      requests: this.#requests,
      runner: this.#runner?.state ?? 'unserved',
      pollWindowMs: this.#runner?.windowMs ?? 0,
      broken: this.#broken,
    };
  }

  /** Whether answers to a chain, or the rings, are in a range of guest memory: not once it is gone. */
  needs(chain: DescriptorChain, gpa: number, length: number): boolean {
    return chain.writesInto(gpa, length) || this.#ring.isIn(gpa, length);
  }

  /** Takes the next available chain. @returns undefined when there is none or the queue is broken */
  pop(): DescriptorChain | undefined {
    if (!this.#usable()) return undefined;
    const waiting = (this.#ring.availIndex - this.#nextAvail) & 0xffff;
    if (waiting === 0) return undefined;
    if (waiting > this.size) {
      this.#fault(`avail index went ${waiting} ahead in a queue of ${this.size}`);
      return;
    }
    const head = this.#ring.availEntry(this.#nextAvail);
    if (head >= this.size) {
      this.#fault(`head ${head} is not below ${this.size}`);
      return;
    }
    if (this.#taken[head] !== 0) {
      this.#fault(`head ${head} is in use already`);
      return;
    }
    const chain = this.#spare.pop() ?? new DescriptorChain(this.#owner);
    chain.begin(head);
    const fault = this.#walker.walk(this.#ring.descriptors, chain);
    if (fault !== undefined) {
      this.#fault(fault);
      return;
    }
    this.#taken[head] = 1;
    this.#nextAvail = (this.#nextAvail + 1) & 0xffff;
    this.#inFlight += 1;
    this.#requests += 1;
    return chain;
  }

  /**
   * Puts a chain on the used ring, in any order, and interrupts the driver if it asked for that.
   * Nothing happens when the queue is broken, or with a chain from before a reset.
   *
   * @param writtenBytes  how much of the writable part was written, from its start
   * @throws Error when the chain was completed before
   */
  complete(chain: DescriptorChain, writtenBytes: number): void {
    if (!chain.belongsTo(this.#owner) || !this.#usable()) return;
    if (this.#taken[chain.head] !== 1) throw new Error(`chain ${chain.head} is not in use`);
    this.#taken[chain.head] = 0;
    this.#inFlight -= 1;
    this.#spare.push(chain);
    const index = this.#nextUsed;
    this.#nextUsed = (index + 1) & 0xffff;
    this.#ring.publishUsed(index, chain.head, writtenBytes);
    if (this.#interruptWanted(index)) this.#options.interrupt();
  }

  /**
   * Starts serving: `serve` is called for one chain at a time, in ring order; a promise holds the
   * next back. Kicks, watching the ring after a kick, and event suppression are the queue's
   * business. The first request is served from the event loop, not from here.
   */
  start(serve: ServeChain): void {
    if (this.#runner !== undefined) throw new Error(`queue ${this.index} is served already`);
    this.#runner = new QueueRunner(
      {
        pop: () => this.pop(),
        spin: (spins) => this.#usable() && this.#ring.spinAvail(this.#nextAvail, spins),
        suppressNotifications: () => this.#suppressNotifications(),
        enableNotifications: () => this.#enableNotifications(),
        crowded: this.#options.crowded,
        failed: (error) => this.#fault(`request failed: ${messageOf(error)}`),
      },
      serve,
    );
    if (this.#owner.dead) this.#runner.stop();
    if (this.#paused) this.#runner.pause();
    this.#runner.schedule();
  }

  /** The driver kicked: serves on the caller's stack, which must come from the event loop. */
  kick(): void {
    this.#runner?.kick();
  }

  /** The driver may have kicked, and something waits for the caller: serves soon. */
  kickSoon(): void {
    this.#runner?.schedule();
  }

  /** Takes no further request; one whose promise is under way still completes. */
  pause(): void {
    this.#paused = true;
    this.#runner?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#runner?.resume();
  }

  /**
   * The driver lets us at memory no longer. What is under way can never be answered: where its answer
   * belongs may be something else by then.
   */
  withdraw(): void {
    if (this.#inFlight === 0) return;
    this.#fault(`bus mastering went off with requests under way: ${this.#inFlight}`);
  }

  /** For good: no byte of guest memory is touched any more, completions to come are dropped. */
  stop(): void {
    this.#owner.dead = true;
    this.#runner?.stop();
  }

  /** Whether the rings may be touched. */
  #usable(): boolean {
    if (this.#owner.dead) return false;
    const fault = this.#ring.check();
    if (fault === undefined) return true;
    this.#fault(fault);
    return false;
  }

  /** Breaks the queue. @returns undefined, what `pop` answers then */
  #fault(reason: string): undefined {
    if (this.#owner.dead) return undefined;
    this.#broken = reason;
    this.stop();
    this.#options.broken(`queue ${this.index}: ${reason}`);
    return undefined;
  }

  /** §2.7.7.2, for the entry just filled. The store of used.idx before was a full barrier. */
  #interruptWanted(index: number): boolean {
    if (this.#eventIdx) return this.#ring.usedEvent === index;
    return (this.#ring.availFlags & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
  }

  #suppressNotifications(): void {
    if (!this.#usable()) return;
    // With EVENT_IDX the flags are 0 (§2.7.10.2), and an avail_event that is left behind suffices:
    // drivers pass it once in 65536 requests.
    this.#ring.usedFlags = this.#eventIdx ? 0 : VIRTQ_USED_F_NO_NOTIFY;
  }

  #enableNotifications(): boolean {
    if (!this.#usable()) return false;
    if (this.#eventIdx) this.#ring.availEvent = this.#nextAvail;
    else this.#ring.usedFlags = 0;
    // A request made available before the driver saw this did not kick: look once more.
    return this.#ring.availIndex !== this.#nextAvail;
  }
}
