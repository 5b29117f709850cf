import { GuestError } from '../errors.ts';

/** How a machine came to its end. */
export type MachineEnd =
  | { readonly kind: 'power-off' }
  | { readonly kind: 'reboot' }
  | { readonly kind: 'quit' }
  /** A signal asked the process to end. */
  | { readonly kind: 'signal' }
  /** GuestError: the guest cannot go on. HostError: the host failed it. */
  | { readonly kind: 'failed'; readonly error: unknown };

/** Whether the guest ended the machine, on purpose or because it cannot go on. */
export function isByGuest(end: MachineEnd): boolean {
  if (end.kind === 'failed') return end.error instanceof GuestError;
  return end.kind === 'power-off' || end.kind === 'reboot';
}
