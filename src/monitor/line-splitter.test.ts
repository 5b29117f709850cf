import { describe, expect, it } from 'vitest';
import { LineSplitter, type NextLine } from './line-splitter.ts';

/** The lines of `chunks`; `!` stands for one that was too long. */
function split(limit: number, ...chunks: (string | Uint8Array)[]): string[] {
  const splitter = new LineSplitter(limit);
  const lines: string[] = [];
  const add = (next: NextLine): void => void lines.push(next === 'too-long' ? '!' : next.text);
  for (const chunk of chunks) {
    splitter.push(Buffer.from(chunk));
    for (let next = splitter.next(); next !== undefined; next = splitter.next()) add(next);
  }
  const last = splitter.last();
  if (last !== undefined) add(last);
  return lines;
}

describe('LineSplitter', () => {
  it('cuts at newlines, with or without a carriage return', () => {
    expect(split(10, 'a\nbc\r\n\nd\re\n')).toEqual(['a', 'bc', '', 'd\re']);
  });

  it('puts together a line that comes in pieces', () => {
    expect(split(10, 'in', 'f', 'o\nst', 'op\r', '\n')).toEqual(['info', 'stop']);
    const letters = Array.from('x'.repeat(5000));
    expect(split(5000, ...letters, '\n')).toEqual(['x'.repeat(5000)]);
  });

  it('gives what is left at the end of input', () => {
    expect(split(10, 'a\nquit')).toEqual(['a', 'quit']);
    expect(split(10, 'a\n')).toEqual(['a']);
  });

  it('takes a line of exactly the limit', () => {
    expect(split(4, 'abcd\nabcde\nok\n')).toEqual(['abcd', '!', 'ok']);
  });

  it('skips a line over the limit up to its newline, and says so once', () => {
    const mebibyte = Buffer.alloc(1024 * 1024, 'x');
    expect(split(64, mebibyte, mebibyte, 'tail\nok\n')).toEqual(['!', 'ok']);
    expect(split(64, mebibyte)).toEqual(['!']);
  });

  it('keeps no part of a line over the limit', () => {
    const splitter = new LineSplitter(1024);
    for (let i = 0; i < 10_000; i++) {
      splitter.push(new Uint8Array(65_536).fill(0x78));
      expect(splitter.next()).toBeUndefined();
    }
    splitter.push(Buffer.from('\nab\n'));
    expect(splitter.next()).toBe('too-long');
    expect(splitter.next()).toEqual({ text: 'ab' });
  });

  it('survives bytes that are no UTF-8, and NULs', () => {
    expect(split(20, Uint8Array.of(0x61, 0xff, 0xc3, 0x0a))).toEqual(['a\ufffd\ufffd']);
    expect(split(20, 'a\0b\n')).toEqual(['a\0b']);
  });

  it('decodes a character whose bytes come in different chunks', () => {
    const euro = Buffer.from('€');
    expect(split(20, euro.subarray(0, 1), euro.subarray(1), '\n')).toEqual(['€']);
  });
});
