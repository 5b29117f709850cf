import { addon } from './addon.ts';
import { guarded } from './kvm-error.ts';

/** A thread, and the host's CPUs that it may run on. Methods throw KvmError when the host refuses. */
export interface PlacedThread {
  /** In order; undefined when there is no such thread yet. */
  cpuAffinity(): readonly number[] | undefined;
  setCpuAffinity(cpus: readonly number[]): void;
}

/** The thread that calls: the event loop, on which devices are served. */
export const loopThread = {
  cpuAffinity(): readonly number[] {
    return [...guarded(() => addon.cpuAffinity())];
  },

  setCpuAffinity(cpus: readonly number[]): void {
    guarded(() => addon.setCpuAffinity(Uint32Array.from(cpus)));
  },

  /** The host's CPU that it is on at present. */
  currentCpu(): number {
    return guarded(() => addon.currentCpu());
  },
};
