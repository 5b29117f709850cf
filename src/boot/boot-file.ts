import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { ConfigError, messageOf, whyNotOpened } from '../errors.ts';

/** What a file is for; its messages begin with it, as `kernel ./vmlinuz: …`. */
export type BootFileRole = 'kernel' | 'initrd';

function whyNotUsable(stats: Stats): string | undefined {
  if (stats.isDirectory()) return 'is a directory';
  if (!stats.isFile()) return 'is not a regular file';
  if (stats.size === 0) return 'the file is empty';
  return undefined;
}

/** A regular file that is not empty, open for reading. */
export class BootFile {
  readonly role: BootFileRole;
  readonly path: string;
  readonly sizeBytes: number;
  readonly #fd: number;

  private constructor(role: BootFileRole, path: string, fd: number, sizeBytes: number) {
    this.role = role;
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#fd = fd;
  }

  /** @throws ConfigError when it is missing, unreadable, empty or anything but a regular file */
  static open(role: BootFileRole, path: string): BootFile {
    let fd: number;
    try {
      // Without O_NONBLOCK the opening of a pipe would wait for its writer.
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw refusal(role, path, whyNotOpened(error), error);
    }
    const stats = fstatSync(fd);
    const why = whyNotUsable(stats);
    if (why === undefined) return new BootFile(role, path, fd, stats.size);
    closeSync(fd);
    throw refusal(role, path, why);
  }

  /**
   * Fills `target` with the bytes from `offset` on.
   *
   * @param what  what they are, for the message
   * @throws ConfigError when the file ends before they do
   */
  read(offset: number, target: Uint8Array, what: string): void {
    const end = offset + target.length;
    if (end > this.sizeBytes) throw this.truncated(what, end);
    for (let done = 0; done < target.length; ) {
      const count = this.#readSome(offset + done, target.subarray(done));
      if (count === 0) throw this.refuse(`became shorter than ${this.sizeBytes} bytes in use`);
      done += count;
    }
  }

  #readSome(position: number, target: Uint8Array): number {
    try {
      return readSync(this.#fd, target, 0, target.length, position);
    } catch (error) {
      throw this.refuse(`cannot be read: ${messageOf(error)}`, error);
    }
  }

  /** As `read`, into a buffer of its own: for headers. */
  bytes(offset: number, length: number, what: string): DataView {
    if (offset + length > this.sizeBytes) throw this.truncated(what, offset + length);
    const target = new Uint8Array(length);
    this.read(offset, target, what);
    return new DataView(target.buffer);
  }

  truncated(what: string, end: number): ConfigError {
    return this.refuse(
      `truncated: the file ends at byte ${this.sizeBytes}, ${what} at byte ${end}`,
    );
  }

  /** The error that refuses this file, to be thrown. */
  refuse(why: string, cause?: unknown): ConfigError {
    return refusal(this.role, this.path, why, cause);
  }

  /** Call once. */
  close(): void {
    closeSync(this.#fd);
  }
}

function refusal(role: BootFileRole, path: string, why: string, cause?: unknown): ConfigError {
  const code = role === 'kernel' ? 'BAD_KERNEL' : 'BAD_INITRD';
  return new ConfigError(code, `${role} ${path}: ${why}`, { cause });
}
