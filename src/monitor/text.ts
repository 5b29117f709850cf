import { GIB, KIB, MIB, TIB } from '../units.ts';

/** Characters that move, hide or reorder what a terminal shows. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Text that came from outside, safe to show: escapes for what does not print, and a bound. */
export function printable(text: string, limit = 200): string {
  // Cut by code points, after a rough cut that keeps the work small.
  const points = Array.from(text.slice(0, 2 * limit + 2));
  const cut = points.length > limit ? `${points.slice(0, limit).join('')}…` : points.join('');
  return cut.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** Lines as a command's output: each ends in a newline. */
export function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}

/**
 * A table with two spaces between columns, first row the headings.
 *
 * @param rightAligned indices of columns that hold numbers
 */
export function table(
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[],
): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  }
  const align = (cell: string, index: number): string => {
    const width = widths[index] ?? 0;
    return rightAligned.includes(index) ? cell.padStart(width) : cell.padEnd(width);
  };
  return lines(rows.map((row) => row.map(align).join('  ').trimEnd()));
}

/** A size for people, rounded to three digits: `2.51 GiB`. */
export function roughSize(bytes: number): string {
  const units: readonly (readonly [string, number])[] = [
    ['TiB', TIB],
    ['GiB', GIB],
    ['MiB', MIB],
    ['KiB', KIB],
  ];
  for (const [unit, scale] of units) {
    if (bytes >= scale) return `${Number((bytes / scale).toPrecision(3))} ${unit}`;
  }
  return `${bytes} bytes`;
}
