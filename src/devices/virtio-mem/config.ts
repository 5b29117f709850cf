import { readSized, writeU64 } from '../../bytes.ts';
import { alignUp, MIB } from '../../units.ts';
import { CONFIG_SIZE } from './spec.ts';

/** Two Linux memory blocks: Linux adds whole 128 MiB blocks and plugs parts of them. */
const USABLE_EXTENT = 256 * MIB;

/**
 * Size of the region in which the guest may plug, in bytes: some more than was requested, because
 * a driver may need room around what it plugs.
 */
export function usableSizeFor(
  requestedSize: number,
  regionSize: number,
  blockSize: number,
): number {
  if (requestedSize === 0) return 0;
  return alignUp(Math.min(regionSize, requestedSize + USABLE_EXTENT), blockSize);
}

export interface ConfigFields {
  readonly blockSize: number;
  readonly node: number;
  readonly addr: number;
  readonly regionSize: number;
  readonly usableSize: number;
  readonly pluggedSize: number;
  readonly requestedSize: number;
}

/** struct virtio_mem_config as the driver reads it: read-only, little-endian (virtio 1.3 §5.15.4). */
export class ConfigSpace {
  readonly #view = new DataView(new ArrayBuffer(CONFIG_SIZE));

  update(fields: ConfigFields): void {
    writeU64(this.#view, 0, fields.blockSize);
    this.#view.setUint16(8, fields.node, true);
    writeU64(this.#view, 16, fields.addr);
    writeU64(this.#view, 24, fields.regionSize);
    this.updateSizes(fields.usableSize, fields.pluggedSize, fields.requestedSize);
  }

  /** The fields that change while the device exists. */
  updateSizes(usableSize: number, pluggedSize: number, requestedSize: number): void {
    writeU64(this.#view, 32, usableSize);
    writeU64(this.#view, 40, pluggedSize);
    writeU64(this.#view, 48, requestedSize);
  }

  /** Only `plugged_size`: what most requests change. */
  updatePlugged(pluggedSize: number): void {
    writeU64(this.#view, 40, pluggedSize);
  }

  /** @returns 1, 2 or 4 bytes; zeros past the end */
  read(offset: number, size: number): number {
    if (offset + size > CONFIG_SIZE) return 0;
    return readSized(this.#view, offset, size);
  }
}
