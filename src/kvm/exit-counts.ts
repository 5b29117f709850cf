/** How often a vCPU left KVM_RUN, by what for. */
export interface ExitCounts {
  readonly port: number;
  readonly mmio: number;
  /** By a signal: it was to park, or to see that it need not. */
  readonly interrupted: number;
  readonly other: number;
  /** KVM_RUN failed, as for memory that is out of reach. */
  readonly failed: number;
  /** Of these, those that waited for an answer of the event loop. */
  readonly answered: number;
}

/** @param counts in the order of native/exit-counts.h */
export function decodeExitCounts(counts: Float64Array): ExitCounts {
  const [port = 0, mmio = 0, interrupted = 0, other = 0, failed = 0, answered = 0] = counts;
  return { port, mmio, interrupted, other, failed, answered };
}
