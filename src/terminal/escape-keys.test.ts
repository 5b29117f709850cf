import { describe, expect, it } from 'vitest';
import { EscapeKeys } from './escape-keys.ts';

/** What comes of typing `chunks`: plain input as text, escapes in angle brackets. */
function typed(...chunks: string[]): string {
  let result = '';
  const keys = new EscapeKeys({
    input: (bytes) => (result += Buffer.from(bytes).toString('latin1')),
    escape: (escape) => (result += `<${escape}>`),
  });
  for (const chunk of chunks) keys.feed(Buffer.from(chunk, 'latin1'));
  return result;
}

describe('EscapeKeys', () => {
  it('lets plain input through as it is', () => {
    expect(typed('ls -l\r', '\x00\xff\x1b[A')).toBe('ls -l\r\x00\xff\x1b[A');
  });

  it('finds escapes among input, in either case', () => {
    expect(typed('ab\x01ccd\x01X\x01he')).toBe('ab<switch>cd<quit><help>e');
  });

  it('finds an escape whose key comes in the next chunk', () => {
    expect(typed('ab\x01', 'cd')).toBe('ab<switch>d');
  });

  it('sends one Ctrl-A for two', () => {
    expect(typed('\x01\x01c\x01', '\x01')).toBe('\x01c\x01');
  });

  it('swallows Ctrl-A with a key that means nothing', () => {
    expect(typed('a\x01zb\x01\x00c')).toBe('abc');
  });
});
