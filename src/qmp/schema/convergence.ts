import type { ConvergenceKind } from '../../machine/events.ts';

/** Why a memory device is not as large as was requested, or that it is. */
export const CONVERGENCE_KINDS = [
  'converged',
  'no-driver',
  'not-asked',
  'under-way',
  'busy',
  'nack',
  'error',
  'unplug-stalled',
  'plug-stalled',
] as const satisfies readonly ConvergenceKind[];
