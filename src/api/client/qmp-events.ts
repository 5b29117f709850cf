import type { JsonObject } from '../../qmp/json/value.ts';
import type { VmEvent } from '../event-hub.ts';
import { RESET_KINDS } from '../../machine/resets.ts';
import { isConvergenceKind } from '../memory-host.ts';
import { integerOf, listOf, numberOf, oneOf, textOf } from './answers.ts';

type ConvergenceEvent = Extract<VmEvent, { type: 'memory-device-convergence' }>;
type ViolationEvent = Extract<VmEvent, { type: 'violation' }>;

const ACCESSES = ['read', 'write', 'execute', 'unknown'] as const;
const ACTIONS = ['stop', 'reset', 'kill'] as const;

const device = (data: JsonObject): { readonly id: string; readonly path: string } => ({
  id: textOf(data, 'id'),
  path: textOf(data, 'qom-path'),
});

function convergence(data: JsonObject, state: ConvergenceEvent['state']): ConvergenceEvent {
  const reason = textOf(data, 'reason');
  return {
    type: 'memory-device-convergence',
    ...device(data),
    state,
    reason: isConvergenceKind(reason) ? reason : 'under-way',
    cause: textOf(data, 'cause'),
    size: numberOf(data, 'size'),
    requestedSize: numberOf(data, 'requested-size'),
  };
}

function violation(data: JsonObject): ViolationEvent {
  return {
    type: 'violation',
    ...device(data),
    vcpu: numberOf(data, 'cpu-index'),
    gpa: numberOf(data, 'gpa'),
    rip: integerOf(data, 'rip'),
    access: oneOf(ACCESSES, data, 'access'),
    action: oneOf(ACTIONS, data, 'action'),
    count: numberOf(data, 'count'),
  };
}

function faultReport(data: JsonObject): readonly string[] {
  const lines = listOf(data['x-tsvmm-report'] ?? [], 'report');
  return lines.filter((line) => typeof line === 'string');
}

/**
 * An event of QMP as an event of a machine; undefined for one that is not known.
 *
 * @throws HostError when it lacks what it must have
 */
export function vmEvent(name: string, data: JsonObject): VmEvent | undefined {
  switch (name) {
    case 'STOP':
      return { type: 'stop' };
    case 'RESUME':
      return { type: 'resume' };
    case 'POWERDOWN':
      return { type: 'powerdown' };
    case 'RESET':
      return {
        type: 'reset',
        guest: data['guest'] === true,
        kind: oneOf(RESET_KINDS, data, 'x-tsvmm-kind'),
        cause: textOf(data, 'reason'),
        count: numberOf(data, 'x-tsvmm-count'),
      };
    case 'GUEST_PANICKED':
      return { type: 'guest-fault', report: faultReport(data) };
    case 'SHUTDOWN':
      return { type: 'shutdown', guest: data['guest'] === true, cause: textOf(data, 'reason') };
    case 'MEMORY_DEVICE_SIZE_CHANGE':
      return { type: 'memory-device-size', ...device(data), size: numberOf(data, 'size') };
    case 'X_TSVMM_MEMORY_DEVICE_CONVERGED':
      return convergence(data, 'converged');
    case 'X_TSVMM_MEMORY_DEVICE_STALLED':
      return convergence(data, 'stalled');
    case 'X_TSVMM_MEMORY_DEVICE_RESUMED':
      return convergence(data, 'resumed');
    case 'X_TSVMM_MEMORY_DEVICE_VIOLATION':
      return violation(data);
    default:
      return undefined;
  }
}
