import { ConfigError } from '../errors.ts';
import { loopThread, type PlacedThread } from '../kvm/loop-thread.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import { log } from '../log.ts';
import type { CpuAffinity } from './config/cpu-affinity-option.ts';

const logger = log('machine');

/** How long threads that were in each other's way are kept apart, ms. */
const APART_MS = 1000;

/** A thread that is kept from CPUs it may use. */
interface Kept {
  readonly thread: PlacedThread;
  readonly before: readonly number[];
  readonly now: readonly number[];
}

/**
 * Which of the host's CPUs the machine's threads run on.
 *
 * A guest that sends one request after another is served by an event loop that watches for the next:
 * two threads that never sleep. When the host has both on one CPU, each answer waits for the other
 * thread's time slice, and the host does not see it: with a busy neighbour on the other CPU, both
 * are as loaded as can be. So, where that is noticed, the loop and the vCPUs are given CPUs of their
 * own for a second, if there is one for each. After that the host decides again, so that nothing is
 * held for a guest that computes.
 */
export class CpuPlacement {
  readonly #affinity: CpuAffinity;
  readonly #vcpus: readonly Vcpu[];
  #kept: Kept[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(affinity: CpuAffinity, vcpus: readonly Vcpu[]) {
    this.#affinity = affinity;
    this.#vcpus = vcpus;
  }

  /**
   * Puts threads where the user wants them: the loop now, vCPUs when they start.
   *
   * @throws ConfigError naming CPUs that this process may not use
   */
  apply(): void {
    if (this.#affinity.kind !== 'fixed') return;
    const { loop, vcpus } = this.#affinity;
    const before = loopThread.cpuAffinity();
    try {
      // The loop tries them all: a thread that has not started cannot say what it may not use.
      for (const cpus of new Set(vcpus)) this.#try('vcpus', cpus, before);
      if (loop !== undefined) this.#try('loop', loop, before);
    } catch (error) {
      loopThread.setCpuAffinity(before);
      throw error;
    }
    if (loop === undefined) loopThread.setCpuAffinity(before);
    else this.#kept = [{ thread: loopThread, before, now: loop }];
    vcpus?.forEach((cpus, id) => this.#vcpus[id]?.setCpuAffinity(cpus));
    // Without this they would be where the loop is, that starts them.
    if (vcpus === undefined) for (const vcpu of this.#vcpus) vcpu.setCpuAffinity(before);
  }

  #try(key: string, cpus: readonly number[], before: readonly number[]): void {
    let got: readonly number[] = [];
    try {
      loopThread.setCpuAffinity(cpus);
      got = loopThread.cpuAffinity();
    } catch {
      // None of them: said below.
    }
    const missing = cpus.filter((cpu) => !got.includes(cpu));
    if (missing.length === 0) return;
    const message =
      `--cpu-affinity ${key}: CPU ${missing.join(', ')} is not there for this process, ` +
      `which runs on ${before.join(', ')}`;
    throw new ConfigError('BAD_CPUS', message);
  }

  /**
   * The loop watches for requests, and takes the CPU from those who send them.
   *
   * @returns whether they have CPUs of their own from now on
   */
  makeRoom(): boolean {
    if (this.#affinity.kind !== 'auto' || this.#timer !== undefined) return false;
    const cpu = loopThread.currentCpu();
    const kept: Kept[] = [];
    for (const thread of this.#vcpus) {
      const before = thread.cpuAffinity();
      if (before === undefined) continue;
      kept.push({ thread, before, now: before.filter((each) => each !== cpu) });
    }
    if (kept.length === 0) return false;
    if (kept.some(({ now }) => now.length < kept.length)) return false;
    kept.push({ thread: loopThread, before: loopThread.cpuAffinity(), now: [cpu] });
    this.#kept = kept;
    this.#timer = setTimeout(() => this.#letGo(), APART_MS).unref();
    return this.#keepApart();
  }

  #keepApart(): boolean {
    try {
      for (const { thread, now } of this.#kept) thread.setCpuAffinity(now);
      return true;
    } catch (error) {
      // The host has taken CPUs away meanwhile.
      logger.debug({ err: error }, 'threads cannot be kept apart');
      this.#letGo();
      return false;
    }
  }

  /** What somebody else has changed meanwhile stays as it is. */
  #letGo(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { thread, before, now } of this.#kept.splice(0)) {
      const current = thread.cpuAffinity() ?? [];
      if (current.length === now.length && now.every((cpu) => current.includes(cpu))) {
        thread.setCpuAffinity(before);
      }
    }
  }

  /** Threads are where they were; vCPUs may be gone. */
  close(): void {
    this.#kept = this.#kept.filter(({ thread }) => thread === loopThread);
    this.#letGo();
  }
}
