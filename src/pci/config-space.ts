import { allOnes, readSized } from '../bytes.ts';
import { PCI_CFG_SPACE_EXP_SIZE } from './registers.ts';

/**
 * The 4 KiB of a function's configuration space: bytes, and which of their bits the guest may
 * change. Without extended capabilities everything from 256 on reads as 0.
 */
export class ConfigSpace {
  readonly #bytes = new Uint8Array(PCI_CFG_SPACE_EXP_SIZE);
  readonly #writable = new Uint8Array(PCI_CFG_SPACE_EXP_SIZE);
  #initial = this.#bytes.slice();
  /** The bytes, past all masks. */
  readonly view = new DataView(this.#bytes.buffer);
  /** The masks. */
  readonly writable = new DataView(this.#writable.buffer);

  /** Makes the present content what a reset goes back to. */
  seal(): void {
    this.#initial = this.#bytes.slice();
  }

  /** Changes a byte for good: resets keep it. */
  amend(offset: number, value: number): void {
    this.#bytes[offset] = value;
    this.#initial[offset] = value;
  }

  reset(): void {
    this.#bytes.set(this.#initial);
  }

  /** A part of the bytes, past all masks. */
  part(offset: number, size: number): DataView {
    return new DataView(this.#bytes.buffer, offset, size);
  }

  /** Puts bytes at `offset`, with their mask (default: read-only). */
  put(offset: number, bytes: Uint8Array, writable?: Uint8Array): void {
    this.#bytes.set(bytes, offset);
    if (writable !== undefined) this.#writable.set(writable, offset);
  }

  /** All ones where the access leaves the space. */
  read(register: number, size: number): number {
    if (register + size > PCI_CFG_SPACE_EXP_SIZE) return allOnes(size);
    return readSized(this.view, register, size);
  }

  /** Changes what the guest may change. */
  write(register: number, size: number, value: number): void {
    if (register + size > PCI_CFG_SPACE_EXP_SIZE) return;
    for (let index = 0; index < size; index += 1) {
      const at = register + index;
      const mask = this.#writable[at] ?? 0;
      const written = (value >>> (8 * index)) & mask;
      this.#bytes[at] = ((this.#bytes[at] ?? 0) & ~mask) | written;
    }
  }
}
