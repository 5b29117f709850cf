import { GuestError } from '../../errors.ts';
import { describeViolation, type Violation, type ViolationAction } from './violation.ts';

/** What a machine can do about its guest. */
export interface ViolationResponses {
  /** Pauses the machine, and keeps the reason for `info status`. */
  stop(reason: string): void;
  reset(cause: string): void;
  end(error: GuestError): void;
}

/** Does what the user wants done when the guest uses memory that is not plugged. */
export function actOnViolation(
  action: ViolationAction,
  violation: Violation,
  responses: ViolationResponses,
): void {
  const what = describeViolation(violation);
  switch (action) {
    case 'zeros':
      return;
    case 'stop':
      responses.stop(what);
      return;
    case 'reset':
      responses.reset(what);
      return;
    case 'kill':
      responses.end(new GuestError('VIOLATION', what, [`${what}; ended, as --on-violation says`]));
  }
}
