import { RESET_KINDS } from '../../machine/resets.ts';
import { VIOLATION_ACTIONS } from '../../machine/violations/violation.ts';
import { CONVERGENCE_KINDS } from './convergence.ts';
import {
  bool,
  int,
  listOf,
  NOTHING,
  object,
  oneOf,
  str,
  uint64,
  type ObjectType,
  type TypeOf,
} from './type.ts';

/** Why a machine was reset or has ended. */
const ShutdownCause = oneOf(
  'host-error',
  'host-qmp-quit',
  'host-qmp-system-reset',
  'host-signal',
  'guest-shutdown',
  'guest-reset',
  'guest-panic',
);
export type ShutdownReason = TypeOf<typeof ShutdownCause>;

const MemoryDeviceSize = object({ id: str, size: int, 'qom-path': str });

/** How far a memory device is from what was requested, and why: for programs, and for people. */
const MemoryDeviceConvergence = object({
  ...MemoryDeviceSize.members,
  'requested-size': int,
  reason: oneOf(...CONVERGENCE_KINDS),
  cause: str,
});

/**
 * Events of our own. Clients get them that ask for them: one made for the established events alone may
 * end its session at a name that it does not know.
 */
const OWN = {
  /** A device is as large as was requested. Like the next two, at most one per device and interval. */
  X_TSVMM_MEMORY_DEVICE_CONVERGED: MemoryDeviceConvergence,
  /** The guest has done nothing for 5 seconds, and the device is not as large as was requested. */
  X_TSVMM_MEMORY_DEVICE_STALLED: MemoryDeviceConvergence,
  /** It goes on after all. */
  X_TSVMM_MEMORY_DEVICE_RESUMED: MemoryDeviceConvergence,
  /**
   * The guest used memory of a device that is not plugged: the latest such access, and what follows
   * from it. At most one per device and interval; `count` has them all.
   */
  X_TSVMM_MEMORY_DEVICE_VIOLATION: object({
    id: str,
    'qom-path': str,
    'cpu-index': int,
    gpa: int,
    rip: uint64,
    access: oneOf('read', 'write', 'execute', 'unknown'),
    action: oneOf(...VIOLATION_ACTIONS),
    count: int,
  }),
} as const satisfies Readonly<Record<string, ObjectType>>;

export type OwnEventName = keyof typeof OWN;

/** Every event there is, with its data. */
export const EVENTS = {
  STOP: NOTHING,
  RESUME: NOTHING,
  POWERDOWN: NOTHING,
  /** What a guest does is told at most once per kind and interval; the count has all of the kind. */
  RESET: object({
    guest: bool,
    reason: ShutdownCause,
    'x-tsvmm-kind': oneOf(...RESET_KINDS),
    'x-tsvmm-count': int,
  }),
  SHUTDOWN: object({ guest: bool, reason: ShutdownCause }),
  /** The guest cannot go on; the machine ends. The report is for people, a summary first. */
  GUEST_PANICKED: object({ action: oneOf('poweroff'), 'x-tsvmm-report': listOf(str) }),
  /** At most one per device and interval; the last one has the size that stays. */
  MEMORY_DEVICE_SIZE_CHANGE: MemoryDeviceSize,
  ...OWN,
} as const satisfies Readonly<Record<string, ObjectType>>;

export type EventName = keyof typeof EVENTS;

export function isOwnEvent(name: string): name is OwnEventName {
  return Object.hasOwn(OWN, name);
}

export const OWN_EVENTS: readonly OwnEventName[] = Object.keys(OWN).filter(isOwnEvent);

/** An event with its data, before it has a time. */
export type QmpEvent = {
  readonly [Name in EventName]: {
    readonly event: Name;
    readonly data: TypeOf<(typeof EVENTS)[Name]>;
  };
}[EventName];
