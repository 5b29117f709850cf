import { describe, expect, it } from 'vitest';
import { printable, roughSize, table } from './text.ts';

describe('printable', () => {
  it('leaves what prints alone', () => {
    expect(printable('größe €😀 "x"')).toBe('größe €😀 "x"');
  });

  it('escapes what would move, clear or reorder the terminal', () => {
    expect(printable('a\x1b[2J\0\u202eb\u009b\u2028')).toBe(
      'a\\x1b[2J\\x00\\u{202e}b\\x9b\\u{2028}',
    );
  });

  it('bounds the length, without cutting a character in two', () => {
    expect(printable('x'.repeat(1e6), 5)).toBe('xxxxx…');
    expect(printable('😀'.repeat(10), 3)).toBe('😀😀😀…');
  });
});

describe('table', () => {
  it('aligns columns and leaves no trailing spaces', () => {
    expect(
      table(
        [
          ['id', 'name'],
          ['10', 'a'],
          ['9', 'longer'],
        ],
        [0],
      ),
    ).toBe('id  name\n10  a\n 9  longer\n');
  });
});

describe('roughSize', () => {
  it.each([
    [0, '0 bytes'],
    [1023, '1023 bytes'],
    [1536, '1.5 KiB'],
    [2_694_868_992, '2.51 GiB'],
    [2 ** 40, '1 TiB'],
  ])('says %d as %s', (bytes, text) => {
    expect(roughSize(bytes)).toBe(text);
  });
});
