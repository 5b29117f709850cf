import { TsvmmError } from '../errors.ts';
import type { MemoryDeviceState } from './memory-host.ts';

/**
 * REFUSED: the size cannot be, or there is no such device; nothing has changed. STALLED: the guest
 * does not go on. TIMEOUT: it did not get there in time. SUPERSEDED: another size was requested
 * meanwhile. ENDED: the machine has ended.
 */
export type ResizeFailure = 'REFUSED' | 'STALLED' | 'TIMEOUT' | 'SUPERSEDED' | 'ENDED';

/** Why a memory device is not as large as was asked. */
export class ResizeError extends TsvmmError {
  declare readonly code: ResizeFailure;
  /** Id of the device. */
  readonly device: string;
  /** How it was last seen; absent when it was refused at once. */
  readonly state: MemoryDeviceState | undefined;

  constructor(
    code: ResizeFailure,
    message: string,
    details: {
      readonly device: string;
      readonly state?: MemoryDeviceState | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(code, `${details.device}: ${message}`, { cause: details.cause });
    this.device = details.device;
    this.state = details.state;
  }
}
