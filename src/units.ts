import { ConfigError } from './errors.ts';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Guest physical address, in bytes. x86 addresses end at 2^52, so a number holds them. */
export type Gpa = Branded<number, 'Gpa'>;
/** Global system interrupt: an index of KVM's routing table. */
export type Gsi = Branded<number, 'Gsi'>;
/** Index into a device's MSI-X table. */
export type Vector = Branded<number, 'Vector'>;
/** Id of a KVM memory slot. */
export type SlotId = Branded<number, 'SlotId'>;

export const KIB = 2 ** 10;
export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
export const TIB = 2 ** 40;
export const PAGE_SIZE = 4096;

/** Exclusive end of what an x86 physical address can name (52 bits). */
export const GPA_LIMIT = 2 ** 52;

function checked(name: string, value: number, limit: number): number {
  if (!Number.isSafeInteger(value) || value < 0 || value >= limit) {
    throw new RangeError(`${name} ${String(value)} is not a whole number from 0 to ${limit - 1}`);
  }
  return value;
}

/** @throws RangeError when `value` is not an address below 2^52 */
export const gpa = (value: number): Gpa => checked('gpa', value, GPA_LIMIT) as Gpa;
/** @throws RangeError when `value` is not a whole number below 4096 */
export const gsi = (value: number): Gsi => checked('gsi', value, 4096) as Gsi;
/** @throws RangeError when `value` is not a whole number below 2048 */
export const vector = (value: number): Vector => checked('vector', value, 2048) as Vector;
/** @throws RangeError when `value` is not a whole number below 65536 */
export const slotId = (value: number): SlotId => checked('memslot', value, 65536) as SlotId;

/** `0x140000000`. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

export function isPowerOfTwo(value: number): boolean {
  if (!Number.isSafeInteger(value) || value <= 0) return false;
  return Number.isInteger(Math.log2(value)) && 2 ** Math.round(Math.log2(value)) === value;
}

/** Smallest multiple of `alignment` (any positive number) that is not below `value`. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** Largest multiple of `alignment` (any positive number) that is not above `value`. */
export function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment;
}

const SIZE_SUFFIX: Readonly<Record<string, number>> = { '': 1, K: KIB, M: MIB, G: GIB, T: TIB };

/**
 * Parses a size as users write it: bytes or K, M, G, T (binary), as `500M`, `1.5G`, `0x40000000`.
 *
 * @param text  what the user wrote
 * @param name  the option or key it was given for, for the message
 * @returns bytes, a whole number from 0 to 2^52
 * @throws ConfigError naming the key and the value
 */
export function parseSize(text: string, name: string): number {
  const refuse = (why: string): never => {
    throw new ConfigError('BAD_SIZE', `${name}=${text}: ${why}`);
  };
  if (text === '') return refuse('the size is empty');
  const hexadecimal = /^0x([0-9a-f]{1,16})$/i.exec(text);
  const decimal = /^(\d{1,20}(?:\.\d{1,20})?)([KMGT]?)(?:i?B)?$/i.exec(text);
  let bytes: number;
  if (hexadecimal?.[1] !== undefined) {
    bytes = Number.parseInt(hexadecimal[1], 16);
  } else if (decimal?.[1] !== undefined) {
    bytes = Number(decimal[1]) * (SIZE_SUFFIX[(decimal[2] ?? '').toUpperCase()] ?? 1);
  } else if (text.startsWith('-')) {
    return refuse('a size cannot be negative');
  } else {
    return refuse('not a size; write bytes or K, M, G, T, as 500M, 1.5G or 0x40000000');
  }
  if (bytes > GPA_LIMIT) return refuse('a size ends at 4096T (2^52 bytes)');
  if (!Number.isInteger(bytes)) return refuse('not a whole number of bytes');
  return bytes;
}

/** A size for people, exact: the largest binary unit that divides it, as `2 MiB`, `1536 KiB`. */
export function formatSize(bytes: number): string {
  const units: readonly (readonly [string, number])[] = [
    ['TiB', TIB],
    ['GiB', GIB],
    ['MiB', MIB],
    ['KiB', KIB],
  ];
  for (const [unit, scale] of units) {
    if (bytes >= scale && bytes % scale === 0) return `${bytes / scale} ${unit}`;
  }
  return `${bytes} B`;
}
