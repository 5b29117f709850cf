import { describe, expect, it } from 'vitest';
import { ConfigError } from './errors.ts';
import { alignUp, formatSize, gpa, isPowerOfTwo, parseSize } from './units.ts';

describe('parseSize', () => {
  it.each([
    ['4096', 4096],
    ['500M', 500 * 2 ** 20],
    ['1.5G', 1.5 * 2 ** 30],
    ['1T', 2 ** 40],
    ['2k', 2048],
    ['0x40000000', 2 ** 30],
    ['4096T', 2 ** 52],
    ['0', 0],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseSize(text, 'size')).toBe(bytes);
  });

  it.each(['', '-1', '1X', 'abc', '1.3', '99999T', '1e3', ' 1', '0x', '1..2G', '4097T', 'NaN'])(
    'refuses %j and names key and value',
    (text) => {
      expect(() => parseSize(text, 'size')).toThrow(ConfigError);
      expect(() => parseSize(text, 'size')).toThrow(`size=${text}: `);
    },
  );
});

describe('units', () => {
  it('prints sizes exactly', () => {
    expect(formatSize(2 ** 40)).toBe('1 TiB');
    expect(formatSize(1536 * 1024)).toBe('1536 KiB');
    expect(formatSize(1000)).toBe('1000 B');
  });

  it('knows powers of two up to 2^52', () => {
    for (let bit = 0; bit <= 52; bit++) expect(isPowerOfTwo(2 ** bit)).toBe(true);
    for (const value of [0, -2, 3, 0.5, 2 ** 52 - 1, Number.NaN]) {
      expect(isPowerOfTwo(value)).toBe(false);
    }
  });

  it('aligns values past 2^32', () => {
    expect(alignUp(2 ** 40 + 1, 2 ** 21)).toBe(2 ** 40 + 2 ** 21);
  });

  it('refuses addresses that x86 does not have', () => {
    expect(() => gpa(2 ** 52)).toThrow(RangeError);
    expect(() => gpa(-1)).toThrow(RangeError);
    expect(gpa(0)).toBe(0);
  });
});
