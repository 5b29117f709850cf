import { readU64 } from '../bytes.ts';
import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import { hex } from '../units.ts';
import type { DescriptorChain } from './descriptor-chain.ts';
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
  VIRTQ_MAX_SIZE,
} from './spec.ts';

/** Descriptors of an indirect table that are copied at a time: more than most tables have. */
const CHUNK = 16;

/**
 * Follows the descriptors of a request and puts its buffers into a chain record. Each descriptor
 * is read once, so a guest that changes it meanwhile gains nothing.
 *
 * @see virtio 1.3 §2.7.5
 */
export class ChainWalker {
  readonly #memory: GuestMemoryAccess;
  readonly #queueSize: number;
  readonly #allowIndirect: boolean;
  readonly #chunk = new Uint8Array(CHUNK * VIRTQ_DESC_SIZE);
  readonly #chunkView = new DataView(this.#chunk.buffer);
  /** Index of the first descriptor in `#chunk`. */
  #chunkStart = 0;

  constructor(memory: GuestMemoryAccess, queueSize: number, allowIndirect: boolean) {
    this.#memory = memory;
    this.#queueSize = queueSize;
    this.#allowIndirect = allowIndirect;
  }

  /**
   * @param table  the queue's descriptor area
   * @param chain  begun with the head
   * @returns what is wrong with the chain, or undefined
   */
  walk(table: DataView, chain: DescriptorChain): string | undefined {
    let index = chain.head;
    // A chain never has more descriptors than the queue (§2.7.5.2): that also ends every loop.
    for (let count = 0; count < this.#queueSize; count++) {
      const at = index * VIRTQ_DESC_SIZE;
      const gpa = readU64(table, at);
      const length = table.getUint32(at + 8, true);
      const flags = table.getUint16(at + 12, true);
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!this.#allowIndirect)
          return `descriptor ${index} is indirect, which was not negotiated`;
        if ((flags & VIRTQ_DESC_F_NEXT) !== 0)
          return `descriptor ${index} is indirect and has a next`;
        return this.#walkIndirect(gpa, length, count, chain);
      }
      const fault = chain.append(gpa, length, (flags & VIRTQ_DESC_F_WRITE) !== 0);
      if (fault !== undefined) return fault;
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return undefined;
      index = table.getUint16(at + 14, true);
      if (index >= this.#queueSize)
        return `next descriptor ${index} is not below ${this.#queueSize}`;
    }
    return this.#tooLong(chain);
  }

  /** §2.7.5.3. The write flag of the referring descriptor means nothing. */
  #walkIndirect(
    gpa: number,
    length: number,
    before: number,
    chain: DescriptorChain,
  ): string | undefined {
    const entries = length / VIRTQ_DESC_SIZE;
    if (!Number.isInteger(entries) || entries === 0 || entries > VIRTQ_MAX_SIZE) {
      return `indirect table of ${length} bytes`;
    }
    // A table of one chunk is checked as it is copied.
    if (entries > CHUNK && !this.#memory.isUsable(gpa, length)) return notMemory(gpa, length);
    const view = this.#chunkView;
    this.#chunkStart = -CHUNK;
    let index = 0;
    for (let count = before; count < this.#queueSize; count++) {
      if (!this.#load(gpa, index, entries)) return notMemory(gpa, length);
      const at = (index - this.#chunkStart) * VIRTQ_DESC_SIZE;
      const flags = view.getUint16(at + 12, true);
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) return `indirect table at ${hex(gpa)} is nested`;
      const writable = (flags & VIRTQ_DESC_F_WRITE) !== 0;
      const fault = chain.append(readU64(view, at), view.getUint32(at + 8, true), writable);
      if (fault !== undefined) return fault;
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return undefined;
      index = view.getUint16(at + 14, true);
      if (index >= entries) return `next descriptor ${index} is outside a table of ${entries}`;
    }
    return this.#tooLong(chain);
  }

  /** Sees to it that descriptor `index` of the indirect table is in the chunk. */
  #load(gpa: number, index: number, entries: number): boolean {
    if (index >= this.#chunkStart && index < this.#chunkStart + CHUNK) return true;
    const start = index - (index % CHUNK);
    const bytes = Math.min(CHUNK, entries - start) * VIRTQ_DESC_SIZE;
    this.#chunkStart = start;
    return this.#memory.read(gpa + start * VIRTQ_DESC_SIZE, this.#chunk, bytes);
  }

  #tooLong(chain: DescriptorChain): string {
    return `chain ${chain.head} loops or has more than ${this.#queueSize} descriptors`;
  }
}

function notMemory(gpa: number, length: number): string {
  return `indirect table at ${hex(gpa)}, ${length} bytes, is not all memory`;
}
