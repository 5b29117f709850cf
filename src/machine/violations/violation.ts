import { hex } from '../../units.ts';

/** What a machine does when its guest reads memory that is not plugged; `zeros`: that is what it sees. */
export const VIOLATION_ACTIONS = ['zeros', 'stop', 'reset', 'kill'] as const;
export type ViolationAction = (typeof VIOLATION_ACTIONS)[number];

/** What it does about any other use. */
export const WRITE_ACTIONS = ['stop', 'reset', 'kill'] as const;
export type WriteAction = (typeof WRITE_ACTIONS)[number];

/** What follows a violation. */
export interface ViolationPolicy {
  readonly read: ViolationAction;
  /** Of writes, executed instructions, and what is not known. */
  readonly write: WriteAction;
}

/** `unknown` where the host's KVM does not tell, or the processor reads and writes. */
export type Access = 'read' | 'write' | 'execute' | 'unknown';

/** An access of the guest to memory of a device that is not plugged. */
export interface Violation {
  /** The device's id. */
  readonly device: string;
  readonly vcpu: number;
  readonly gpa: number;
  /** Instruction pointer; after a write that KVM emulated, that of the next instruction. */
  readonly rip: bigint;
  readonly access: Access;
}

/** For `info status`: `violation of vm0: read of 0x140000000 at rip 0x101f2c`. */
export function describeViolation({ device, gpa, rip, access }: Violation): string {
  const what = access === 'unknown' ? 'access to' : `${access} of`;
  return `violation of ${device}: ${what} ${hex(gpa)} at rip ${hex(rip)}`;
}
