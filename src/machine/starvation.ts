import { HostError } from '../errors.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { GuestMemoryAccess, MemoryRegion } from '../memory/guest-memory.ts';
import { hex } from '../units.ts';
import type { MemoryBackend } from './memory-backends.ts';
import { inUse } from './violations/suspects.ts';

/** Looking takes a few system calls; vCPUs are parked only where the host has run out. */
const INTERVAL_MS = 1_000;

export interface StarvationOptions {
  /** Boot memory that the host has not set aside. */
  readonly backends: readonly MemoryBackend[];
  readonly memory: GuestMemoryAccess & { readonly regions: readonly MemoryRegion[] };
  readonly vcpus: readonly Vcpu[];
  /** A machine that stands still may wait for memory as long as its user likes. */
  readonly isRunning: () => boolean;
  readonly whileParked: <T>(work: () => T) => Promise<T>;
  /** Called once: a vCPU cannot go on. */
  readonly onStarved: (error: HostError) => void;
}

/**
 * Watches for vCPUs that wait for memory which the host does not have. Where KVM takes page faults
 * asynchronously it tries for ever, and KVM_RUN does not return: nothing else would tell.
 *
 * A vCPU starves when the host says that there is no more (no huge page free, a full file system), and
 * the instruction at hand uses a page that is not there.
 */
export class StarvationWatch {
  readonly #options: StarvationOptions;
  /** Those of which not every page was there when they were last looked at. */
  #partial: readonly MemoryBackend[];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: StarvationOptions) {
    this.#options = options;
    this.#partial = options.backends;
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Looks once. @returns what starves a vCPU now, if anything does */
  async look(): Promise<HostError | undefined> {
    if (!this.#options.isRunning()) return undefined;
    for (const backend of this.#partial) {
      const why = backend.backing.trouble();
      if (why === undefined || (await this.#isComplete(backend))) continue;
      const gpa = await this.#missing(backend);
      if (gpa === undefined) continue;
      const whose = `memory backend ${backend.id}, ${backend.user ?? ''}`;
      const message = `${whose}: the host has no memory for the guest at ${hex(gpa)}: ${why}`;
      return new HostError('MEMORY_LOST', message);
    }
    return undefined;
  }

  #schedule(): void {
    if (this.#partial.length === 0 || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.look().then(
        (error) => {
          if (error === undefined) this.#schedule();
          else if (!this.#closed) this.#options.onStarved(error);
        },
        // The machine has ended meanwhile, and its memory with it.
        () => undefined,
      );
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  /** Memory of which every page is there needs no watch any more. */
  async #isComplete(backend: MemoryBackend): Promise<boolean> {
    const { mapping, size } = backend.backing;
    if ((await mapping.residentBytes(0, size)) < size) return false;
    this.#partial = this.#partial.filter((it) => it !== backend);
    return true;
  }

  /** @returns a gpa that a vCPU is about to use, and that has no page */
  async #missing({ backing }: MemoryBackend): Promise<number | undefined> {
    const { memory, vcpus, whileParked } = this.#options;
    const { mapping, pageSize } = backing;
    const regions = memory.regions.filter((it) => it.mapping === mapping);
    const used = await whileParked(() => vcpus.flatMap((vcpu) => [...inUse(vcpu, memory)]));
    for (const { gpa } of used) {
      const region = regions.find((it) => gpa >= it.gpa && gpa < it.gpa + it.size);
      if (region === undefined) continue;
      const offset = region.offset + gpa - region.gpa;
      const page = offset - (offset % pageSize);
      if ((await mapping.residentBytes(page, pageSize)) === 0) return gpa;
    }
    return undefined;
  }
}
