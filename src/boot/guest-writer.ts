import { HostError } from '../errors.ts';
import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import { hex, MIB } from '../units.ts';
import type { BootFile } from './boot-file.ts';

/** Bytes copied at a time: a kernel is never in memory twice. */
const CHUNK_SIZE = MIB;

/** Fills guest memory: bytes, pieces of files, zeros. */
export class GuestWriter {
  readonly #memory: GuestMemoryAccess;
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_SIZE);

  constructor(memory: GuestMemoryAccess) {
    this.#memory = memory;
  }

  /** @throws HostError when the range is not guest memory, which the caller has seen to */
  write(gpa: number, bytes: Uint8Array, length = bytes.length): void {
    if (this.#memory.write(gpa, bytes, length)) return;
    throw notMemory(gpa, length);
  }

  /** @throws ConfigError when the file ends too early */
  copyFile(file: BootFile, offset: number, gpa: number, length: number, what: string): void {
    for (let done = 0; done < length; done += CHUNK_SIZE) {
      const count = Math.min(CHUNK_SIZE, length - done);
      file.read(offset + done, this.#chunk.subarray(0, count), what);
      this.write(gpa + done, this.#chunk, count);
    }
  }

  zero(gpa: number, length: number): void {
    if (length === 0) return;
    this.#chunk.fill(0, 0, Math.min(CHUNK_SIZE, length));
    for (let done = 0; done < length; done += CHUNK_SIZE) {
      this.write(gpa + done, this.#chunk, Math.min(CHUNK_SIZE, length - done));
    }
  }
}

/** Checks what would be written where, and neither writes nor reads through the files. */
export class DryWriter extends GuestWriter {
  readonly #target: GuestMemoryAccess;

  constructor(memory: GuestMemoryAccess) {
    super(memory);
    this.#target = memory;
  }

  override write(gpa: number, bytes: Uint8Array, length = bytes.length): void {
    this.#check(gpa, length);
  }

  override copyFile(
    file: BootFile,
    offset: number,
    gpa: number,
    length: number,
    what: string,
  ): void {
    if (offset + length > file.sizeBytes) throw file.truncated(what, offset + length);
    this.#check(gpa, length);
  }

  override zero(gpa: number, length: number): void {
    this.#check(gpa, length);
  }

  #check(gpa: number, length: number): void {
    if (length === 0 || this.#target.isUsable(gpa, length)) return;
    throw notMemory(gpa, length);
  }
}

function notMemory(gpa: number, length: number): HostError {
  return new HostError('NOT_GUEST_MEMORY', `${hex(gpa)}: ${length} bytes are not guest memory`);
}
