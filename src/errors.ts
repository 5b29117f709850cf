/**
 * The error families. A family decides what the process does with the error (its exit code);
 * `code` is stable and meant for programs; the message names the subject, the value and the limit.
 */
export class TsvmmError extends Error {
  /** Stable, machine-readable, upper-case with underscores. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The user asked for something that cannot be: a wrong option, file, size. Exit code 2. */
export class ConfigError extends TsvmmError {}

/** The host or the VMM failed: an ioctl, a file, a limit. Exit code 1. */
export class HostError extends TsvmmError {}

/** The guest cannot go on: emulation failure, triple fault with `--no-reboot`. Exit code 3. */
export class GuestError extends TsvmmError {
  /** All there is to say, in lines for people: a summary, then the state of the vCPU. */
  readonly report: readonly string[];

  constructor(code: string, message: string, report: readonly string[] = [message]) {
    super(code, message);
    this.report = report;
  }
}

/** Exit codes of the `tsvmm` command. */
export const EXIT_CODE = { ok: 0, host: 1, usage: 2, guest: 3 } as const;

/** The exit code that goes with an error of any kind. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT_CODE.usage;
  if (error instanceof GuestError) return EXIT_CODE.guest;
  return EXIT_CODE.host;
}

/** The code of a failed system call, as `ECONNREFUSED`, or of an error family. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What to print of something that was thrown: its message on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ');
}

const WHY_NOT_OPENED: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file: part of its path is not a directory',
  EISDIR: 'is a directory',
  EACCES: 'no permission to read it',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'its symbolic links lead in a circle',
};

/** Why a file that the user named could not be opened or read, in words. */
export function whyNotOpened(error: unknown): string {
  return WHY_NOT_OPENED[errorCode(error) ?? ''] ?? messageOf(error);
}
