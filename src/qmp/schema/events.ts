import { bool, int, NOTHING, object, oneOf, str, type ObjectType, type TypeOf } from './type.ts';

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

/** Every event there is, with its data. Names of our own begin with `X_TSVMM_`. */
export const EVENTS = {
  STOP: NOTHING,
  RESUME: NOTHING,
  POWERDOWN: NOTHING,
  RESET: object({ guest: bool, reason: ShutdownCause }),
  SHUTDOWN: object({ guest: bool, reason: ShutdownCause }),
  /** The guest cannot go on; the machine ends. */
  GUEST_PANICKED: object({ action: oneOf('poweroff') }),
  /** At most one per device and interval; the last one has the size that stays. */
  MEMORY_DEVICE_SIZE_CHANGE: MemoryDeviceSize,
  /** A size change has made a device as large as was requested. */
  X_TSVMM_MEMORY_DEVICE_CONVERGED: MemoryDeviceSize,
} as const satisfies Readonly<Record<string, ObjectType>>;

export type EventName = keyof typeof EVENTS;

/** An event with its data, before it has a time. */
export type QmpEvent = {
  readonly [Name in EventName]: {
    readonly event: Name;
    readonly data: TypeOf<(typeof EVENTS)[Name]>;
  };
}[EventName];
