import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import { hex } from '../units.ts';
import { VIRTQ_MAX_CHAIN_BYTES } from './spec.ts';

/** What a chain needs of its queue. */
export interface ChainOwner {
  readonly memory: GuestMemoryAccess;
  /** Broken or stopped: no byte of guest memory may be touched any more. */
  readonly dead: boolean;
  fault(reason: string): void;
}

/** Buffers that most requests do with; the arrays grow beyond, up to the queue size. */
const USUAL_BUFFERS = 8;

/**
 * One request: a chain of buffers that the driver made available (virtio 1.3 §2.7.4).
 * Records are reused: valid until completed.
 */
export class DescriptorChain {
  readonly #owner: ChainOwner;
  #head = 0;
  #gpas = new Float64Array(USUAL_BUFFERS);
  #lengths = new Uint32Array(USUAL_BUFFERS);
  #readableBuffers = 0;
  #buffers = 0;
  #readableLength = 0;
  #writableLength = 0;

  constructor(owner: ChainOwner) {
    this.#owner = owner;
  }

  /** Index of the first descriptor. */
  get head(): number {
    return this.#head;
  }

  /** Bytes the device may read, in all. */
  get readableLength(): number {
    return this.#readableLength;
  }

  /** Bytes the device may write, in all. */
  get writableLength(): number {
    return this.#writableLength;
  }

  /** Buffers, readable and writable. */
  get bufferCount(): number {
    return this.#buffers;
  }

  /** For the queue: whether it made this record. */
  belongsTo(owner: ChainOwner): boolean {
    return owner === this.#owner;
  }

  /** For the queue: empties the record for another request. */
  begin(head: number): void {
    this.#head = head;
    this.#readableBuffers = 0;
    this.#buffers = 0;
    this.#readableLength = 0;
    this.#writableLength = 0;
  }

  /** For the queue: adds a buffer. @returns what is wrong with it, or undefined */
  append(gpa: number, length: number, writable: boolean): string | undefined {
    if (this.#readableLength + this.#writableLength + length > VIRTQ_MAX_CHAIN_BYTES) {
      return `chain ${this.#head} has more than 2^32 bytes`;
    }
    if (writable) {
      this.#writableLength += length;
    } else {
      if (this.#buffers > this.#readableBuffers) {
        return `chain ${this.#head} has a device-readable buffer after a device-writable one`;
      }
      this.#readableBuffers += 1;
      this.#readableLength += length;
    }
    if (this.#buffers === this.#gpas.length) this.#grow();
    this.#gpas[this.#buffers] = gpa;
    this.#lengths[this.#buffers] = length;
    this.#buffers += 1;
    return undefined;
  }

  /**
   * Copies readable bytes from `offset` on to the start of `target`.
   * @returns bytes copied: fewer than `length` at the end of the chain, or where a buffer is not
   *   memory (then the queue is broken), and 0 after a reset
   */
  read(offset: number, target: Uint8Array, length: number): number {
    let skip = offset;
    let done = 0;
    for (let i = 0; i < this.#readableBuffers && done < length; i++) {
      const size = this.#lengths[i] ?? 0;
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const part = Math.min(size - skip, length - done);
      const at = (this.#gpas[i] ?? 0) + skip;
      const into = done === 0 ? target : target.subarray(done);
      if (this.#owner.dead) return done;
      if (!this.#owner.memory.read(at, into, part)) return this.#notMemory(at, part, done);
      done += part;
      skip = 0;
    }
    return done;
  }

  /**
   * Copies the start of `source` into the writable part from `offset` on.
   * @returns bytes copied: fewer than `length` as for `read`
   */
  write(offset: number, source: Uint8Array, length: number): number {
    let skip = offset;
    let done = 0;
    for (let i = this.#readableBuffers; i < this.#buffers && done < length; i++) {
      const size = this.#lengths[i] ?? 0;
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const part = Math.min(size - skip, length - done);
      const at = (this.#gpas[i] ?? 0) + skip;
      const from = done === 0 ? source : source.subarray(done);
      if (this.#owner.dead) return done;
      if (!this.#owner.memory.write(at, from, part)) return this.#notMemory(at, part, done);
      done += part;
      skip = 0;
    }
    return done;
  }

  /**
   * Whether `length` bytes can be written from the start of the writable part on; a device that asks
   * before its work does none that it could not answer for. Else the queue is broken, as by `write`.
   */
  canWrite(length: number): boolean {
    let left = length;
    for (let i = this.#readableBuffers; i < this.#buffers && left > 0; i++) {
      const at = this.#gpas[i] ?? 0;
      const part = Math.min(this.#lengths[i] ?? 0, left);
      if (this.#owner.dead) return false;
      if (!this.#owner.memory.isUsable(at, part)) {
        this.#notMemory(at, part, 0);
        return false;
      }
      left -= part;
    }
    return left === 0;
  }

  /** Whether some writable byte is in a range. */
  writesInto(gpa: number, length: number): boolean {
    for (let i = this.#readableBuffers; i < this.#buffers; i++) {
      const at = this.#gpas[i] ?? 0;
      if (at < gpa + length && gpa < at + (this.#lengths[i] ?? 0)) return true;
    }
    return false;
  }

  #notMemory(gpa: number, length: number, done: number): number {
    const where = `${hex(gpa)}, ${length} bytes`;
    this.#owner.fault(`chain ${this.#head} has a buffer outside memory: ${where}`);
    return done;
  }

  #grow(): void {
    const gpas = new Float64Array(this.#gpas.length * 2);
    const lengths = new Uint32Array(gpas.length);
    gpas.set(this.#gpas);
    lengths.set(this.#lengths);
    this.#gpas = gpas;
    this.#lengths = lengths;
  }
}
