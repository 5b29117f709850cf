import { HostError } from '../errors.ts';
import type { NativeError } from './addon.ts';

/** A system call that the host refused. `code` is the name of the errno, as `EINVAL`. */
export class KvmError extends HostError {
  readonly errno: number;
  /** The ioctl or system call, as `KVM_CREATE_VM`. */
  readonly syscall: string;
  /** Its arguments, as `slot=7, gpa=0x1000`. */
  readonly args: string;

  constructor(cause: NativeError) {
    super(cause.code, cause.message, { cause });
    this.errno = cause.errno;
    this.syscall = cause.syscall;
    this.args = cause.args;
  }
}

export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'syscall' in error && 'errno' in error && 'args' in error;
}

/** Runs a native call. What the host refuses comes as KvmError, misuse as it is thrown. */
export function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw isNativeError(error) ? new KvmError(error) : error;
  }
}
