/** Little-endian reads and writes of 64-bit values as numbers. */

const TWO_32 = 2 ** 32;

/**
 * Reads a u64 as a number. Values of 2^53 and more come back rounded but still above
 * `Number.MAX_SAFE_INTEGER`, so that a range check refuses them: they are never truncated.
 */
export function readU64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * TWO_32 + view.getUint32(offset, true);
}

/** Writes a whole number from 0 to 2^53-1 as a u64. */
export function writeU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % TWO_32, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true);
}

/** Reads 1, 2 or 4 bytes. */
export function readSized(view: DataView, offset: number, size: number): number {
  switch (size) {
    case 1:
      return view.getUint8(offset);
    case 2:
      return view.getUint16(offset, true);
    case 4:
      return view.getUint32(offset, true);
    default:
      throw new RangeError(`access of ${size} bytes`);
  }
}

/** Writes the low 1, 2 or 4 bytes of a value. */
export function writeSized(view: DataView, offset: number, size: number, value: number): void {
  switch (size) {
    case 1:
      view.setUint8(offset, value & 0xff);
      return;
    case 2:
      view.setUint16(offset, value & 0xffff, true);
      return;
    case 4:
      view.setUint32(offset, value, true);
      return;
    default:
      throw new RangeError(`access of ${size} bytes`);
  }
}

/** All ones in `size` bytes (1, 2 or 4): what a read that nobody answers gives. */
export function allOnes(size: number): number {
  return size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
}
