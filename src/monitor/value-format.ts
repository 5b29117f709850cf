import { ConfigError } from '../errors.ts';
import { printable } from './text.ts';

export type FormatLetter = 'x' | 'd' | 'u' | 'o' | 'c';
export type UnitBytes = 1 | 2 | 4 | 8;

/** How values are written, and how large each is. */
export interface ValueFormat {
  readonly letter: FormatLetter;
  /** Bytes. */
  readonly size: UnitBytes;
}

export const DEFAULT_FORMAT: ValueFormat = { letter: 'x', size: 4 };

const LETTERS: readonly string[] = ['x', 'd', 'u', 'o', 'c'] satisfies FormatLetter[];
const SIZES: Readonly<Record<string, UnitBytes>> = { b: 1, h: 2, w: 4, g: 8 };

function isLetter(text: string): text is FormatLetter {
  return LETTERS.includes(text);
}

function refuse(text: string, why: string): never {
  throw new ConfigError('BAD_FORMAT', `format ${printable(text, 40)}: ${why}`);
}

/**
 * Parses `/8xw`: how many, how written (`x d u o c`), how large each (`b h w g`: 1, 2, 4, 8 bytes).
 *
 * @param text  undefined for none
 * @param last  what is used for what is left out
 * @throws ConfigError naming what it is that cannot be
 */
export function parseFormat(
  text: string | undefined,
  last: ValueFormat,
): { readonly count: number; readonly format: ValueFormat } {
  if (text === undefined) return { count: 1, format: last };
  const [, digits = '', letters = ''] = /^\/(\d{0,9})(.*)$/s.exec(text) ?? [];
  let { letter, size }: ValueFormat = last;
  for (const character of letters) {
    const unit = SIZES[character];
    if (unit !== undefined) size = unit;
    else if (isLetter(character)) letter = character;
    else if (character === 'i') refuse(text, 'i is for x and xp, and stands alone, as /5i');
    else refuse(text, `'${character}' is neither one of x d u o c nor of b h w g`);
  }
  const count = digits === '' ? 1 : Number(digits);
  if (count === 0) refuse(text, 'the count is 0');
  return { count, format: { letter, size: letter === 'c' ? 1 : size } };
}

/** How many instructions `/5i` asks for; @returns undefined for other formats */
export function parseInstructionFormat(text: string | undefined): number | undefined {
  const digits = /^\/(\d{0,9})i$/.exec(text ?? '')?.[1];
  if (text === undefined || digits === undefined) return undefined;
  const count = digits === '' ? 1 : Number(digits);
  return count > 0 ? count : refuse(text, 'the count is 0');
}

const NAMED_CHARACTERS: Readonly<Record<number, string>> = {
  0x0a: '\\n',
  0x0d: '\\r',
  0x27: "\\'",
  0x5c: '\\\\',
};

/** A byte as a character in quotes, escaped when it does not print. */
function formatCharacter(byte: number): string {
  const plain = byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : undefined;
  const text = NAMED_CHARACTERS[byte] ?? plain ?? `\\x${byte.toString(16).padStart(2, '0')}`;
  return `'${text}'`;
}

/** Characters that values of a format take, so that columns align. */
function widthOf({ letter, size }: ValueFormat): number {
  const bits = size * 8;
  if (letter === 'x') return bits / 4;
  if (letter === 'o') return Math.ceil(bits / 3);
  return Math.ceil((bits * 10) / 33);
}

/** One value of a dump. @param value unsigned, as large as the format says */
export function formatUnit(value: bigint, format: ValueFormat): string {
  const width = widthOf(format);
  switch (format.letter) {
    case 'x':
      return `0x${value.toString(16).padStart(width, '0')}`;
    case 'o':
      return `0${value.toString(8).padStart(width, '0')}`;
    case 'u':
      return value.toString().padStart(width);
    case 'd':
      return BigInt.asIntN(format.size * 8, value)
        .toString()
        .padStart(width);
    case 'c':
      return formatCharacter(Number(value & 0xffn));
  }
}

/** One value by itself. @param value 64 bits */
export function formatValue(value: bigint, letter: FormatLetter): string {
  const unsigned = BigInt.asUintN(64, value);
  switch (letter) {
    case 'x':
      return `0x${unsigned.toString(16)}`;
    case 'o':
      return `0${unsigned.toString(8)}`;
    case 'u':
      return unsigned.toString();
    case 'd':
      return BigInt.asIntN(64, value).toString();
    case 'c':
      return formatCharacter(Number(unsigned & 0xffn));
  }
}

/** Bytes in a line of a dump. */
export function lineBytes({ size }: ValueFormat): number {
  return size === 1 ? 8 : 16;
}
