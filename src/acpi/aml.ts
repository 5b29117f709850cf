import { type Field, inRow, u16, u32, u64, u8 } from './fields.ts';

/*
 * Encoder for ACPI machine language: each function gives the bytes of one term.
 * See ACPI 6.5 §20.2 for the grammar; the names here are those of ASL.
 */

/** Encoded terms. */
export type Aml = Field;

const EXT_OP = 0x5b;

/** A length that counts its own bytes, in front of what it covers (§20.2.4). */
function withLength(content: Aml): Aml {
  const oneByte = content.length + 1;
  if (oneByte < 0x40) return inRow([oneByte], content);
  for (let extra = 1; extra <= 3; extra += 1) {
    const total = content.length + 1 + extra;
    if (total >= 2 ** (4 + 8 * extra)) continue;
    const high = u32(Math.floor(total / 16)).slice(0, extra);
    return inRow([(extra << 6) | (total & 0x0f)], high, content);
  }
  throw new RangeError(`${content.length} bytes are too many for one AML package`);
}

function segment(text: string): Aml {
  if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(text)) throw new RangeError(`'${text}' is not an ACPI name`);
  return [...Buffer.from(text.padEnd(4, '_'), 'ascii')];
}

/** A name or path: `_HID`, `\_SB`, `\_SB.PCI0.COM1`. */
export function path(text: string): Aml {
  const isAbsolute = text.startsWith('\\');
  const segments = (isAbsolute ? text.slice(1) : text).split('.').map(segment);
  const prefix = isAbsolute ? [0x5c] : [];
  if (segments.length === 1) return inRow(prefix, ...segments);
  if (segments.length === 2) return inRow(prefix, [0x2e], ...segments);
  return inRow(prefix, [0x2f], u8(segments.length), ...segments);
}

/** A whole number up to 2^53-1, in its shortest form. */
export function integer(value: number): Aml {
  if (value === 0 || value === 1) return [value];
  if (value < 2 ** 8) return [0x0a, ...u8(value)];
  if (value < 2 ** 16) return [0x0b, ...u16(value)];
  if (value < 2 ** 32) return [0x0c, ...u32(value)];
  return [0x0e, ...u64(value)];
}

export function string(text: string): Aml {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new RangeError(`'${text}' is not ASCII`);
  return [0x0d, ...Buffer.from(text, 'ascii'), 0];
}

export function buffer(bytes: Field): Aml {
  return inRow([0x11], withLength(inRow(integer(bytes.length), bytes)));
}

/** @param elements  at most 255 */
export function pack(elements: readonly Aml[]): Aml {
  return inRow([0x12], withLength(inRow(u8(elements.length), ...elements)));
}

/** `PNP0A08` as the integer that stands for it (ACPI 6.5 §19.3.4). */
export function eisaId(text: string): Aml {
  const match = /^([A-Z]{3})([0-9A-F]{4})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new RangeError(`'${text}' is not an EISA id`);
  }
  const [a = 0, b = 0, c = 0] = Array.from(match[1], (letter) => letter.charCodeAt(0) - 0x40);
  const vendor = (a << 10) | (b << 5) | c;
  const product = Number.parseInt(match[2], 16);
  return [0x0c, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

/** `33db4d5b-…` as a buffer of 16 bytes, its first three groups little-endian (§19.6.136). */
export function uuid(text: string): Aml {
  const bytes = [...Buffer.from(text.replaceAll('-', ''), 'hex')];
  if (bytes.length !== 16) throw new RangeError(`'${text}' is not a UUID`);
  const group = (start: number, end: number): Field => bytes.slice(start, end).reverse();
  return buffer([...group(0, 4), ...group(4, 6), ...group(6, 8), ...bytes.slice(8)]);
}

/** Declares a named value. */
export function name(at: string, value: Aml): Aml {
  return inRow([0x08], path(at), value);
}

export function scope(at: string, terms: readonly Aml[]): Aml {
  return inRow([0x10], withLength(inRow(path(at), ...terms)));
}

export function device(at: string, terms: readonly Aml[]): Aml {
  return inRow([EXT_OP, 0x82], withLength(inRow(path(at), ...terms)));
}

export interface MethodOptions {
  readonly args: number;
  /** Needed by a method that creates names. */
  readonly serialized: boolean;
}

export function method(at: string, options: MethodOptions, terms: readonly Aml[]): Aml {
  const flags = options.args | (options.serialized ? 8 : 0);
  return inRow([0x14], withLength(inRow(path(at), u8(flags), ...terms)));
}

export const arg = (index: number): Aml => u8(0x68 + index);

export const store = (value: Aml, target: Aml): Aml => [0x70, ...value, ...target];
export const and = (a: Aml, b: Aml, target: Aml): Aml => [0x7b, ...a, ...b, ...target];
export const or = (a: Aml, b: Aml, target: Aml): Aml => [0x7d, ...a, ...b, ...target];
export const equal = (a: Aml, b: Aml): Aml => [0x93, ...a, ...b];
export const not = (a: Aml): Aml => [0x92, ...a];
export const ret = (value: Aml): Aml => [0xa4, ...value];

export function when(condition: Aml, terms: readonly Aml[]): Aml {
  return inRow([0xa0], withLength(inRow(condition, ...terms)));
}

/** Follows a `when`. */
export function otherwise(terms: readonly Aml[]): Aml {
  return inRow([0xa1], withLength(inRow(...terms)));
}

/** Names four bytes of a buffer, counted from `offset`. */
export function dwordField(source: Aml, offset: number, at: string): Aml {
  return [0x8a, ...source, ...integer(offset), ...path(at)];
}
