/*
 * Little-endian fields of which tables are put together, in the order of the specification.
 */

/** The bytes of one or more fields. */
export type Field = readonly number[];

const NOTHING: Field = [];

function littleEndian(value: number, size: number): Field {
  if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
    throw new RangeError(`${String(value)} is not a whole number of ${size} bytes`);
  }
  const bytes: number[] = [];
  for (let rest = value; bytes.length < size; rest = Math.floor(rest / 256)) bytes.push(rest % 256);
  return bytes;
}

/** @throws RangeError, as all four, when the value does not fit the field */
export const u8 = (value: number): Field => littleEndian(value, 1);
export const u16 = (value: number): Field => littleEndian(value, 2);
export const u32 = (value: number): Field => littleEndian(value, 4);
/** Whole numbers up to 2^53-1. */
export const u64 = (value: number): Field => littleEndian(value, 8);

export const zeros = (count: number): Field => Array.from({ length: count }, () => 0);

/** ASCII text of a fixed size, filled up with blanks. */
export function ascii(text: string, size: number): Field {
  if (text.length > size || !/^[\x20-\x7e]*$/.test(text)) {
    throw new RangeError(`'${text}' is not ASCII text of at most ${size} characters`);
  }
  return [...Buffer.from(text.padEnd(size), 'ascii')];
}

/**
 * Fields in a row. Tables are made once, by code that is not compiled yet: there this is many times as
 * fast as spreading them, or `flat`.
 */
export function inRow(...fields: readonly Field[]): Field {
  return NOTHING.concat(...fields);
}

export function join(fields: readonly Field[]): Uint8Array {
  return Uint8Array.from(inRow(...fields));
}
