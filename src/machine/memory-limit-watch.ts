import { log } from '../log.ts';
import { memoryLimit, type MemoryLimit } from '../memory/cgroup.ts';
import { formatSize } from '../units.ts';

/** Memory of a guest that cgroups count, in bytes, and how much of it nobody has set aside. */
export interface ChargedMemory {
  readonly boot: number;
  /** What memory devices are asked for, in all. */
  readonly requested: number;
  /** Of both: what is allocated only when the guest touches it. */
  readonly untouched: number;
}

/**
 * Warns where a guest may come to touch more memory than a cgroup lets this process have: the kernel ends
 * somebody then, without a word to the guest. What is preallocated is refused instead.
 */
export class MemoryLimitWatch {
  readonly #charged: () => ChargedMemory;
  readonly #limit: () => MemoryLimit | undefined;
  /** What was warned of last. */
  #warned = '';

  /** @param limit  a parameter for tests */
  constructor(charged: () => ChargedMemory, limit: () => MemoryLimit | undefined = memoryLimit) {
    this.#charged = charged;
    this.#limit = limit;
  }

  /** Looks again, as after a request for another size. Says a thing once, until it is over. */
  check(): void {
    const { boot, requested, untouched } = this.#charged();
    const limit = untouched === 0 ? undefined : this.#limit();
    if (limit === undefined || boot + requested <= limit.bytes) {
      this.#warned = '';
      return;
    }
    if (this.#warned === limit.who) return;
    this.#warned = limit.who;
    const devices = requested === 0 ? '' : ` and ${formatSize(requested)} asked of memory devices`;
    const message = `boot memory of ${formatSize(boot)}${devices} are more than ${limit.who} allows: the kernel ends this process when the guest has touched so much, where prealloc=on would be refused in time`;
    log('memory').warn({}, message);
  }
}
