import { describe, expect, it } from 'vitest';
import { TelnetInput } from './telnet-input.ts';

/** What is left of bytes that come in pieces of a size. */
function filtered(bytes: Uint8Array, size: number): string {
  const input = new TelnetInput();
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(input.filter(bytes.subarray(at, at + size)));
  }
  return Buffer.concat(pieces).toString();
}

const bytes = (...parts: readonly (string | readonly number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

describe.each([1, 2, 3, 1000])('in pieces of %i bytes', (size) => {
  it.each([
    ['options', bytes([255, 253, 3, 255, 251, 24], 'stop\n'), 'stop\n'],
    ['options in a word', bytes('st', [255, 254, 1], 'op\n'), 'stop\n'],
    ['a subnegotiation', bytes([255, 250, 31, 0, 80, 10, 255, 255, 13, 255, 240], 'a\n'), 'a\n'],
    ['commands without option', bytes([255, 241], 'a', [255, 244, 255, 242], 'b\n'), 'ab\n'],
    ['an escaped 0xff', bytes('a', [255, 255], 'b\n'), 'ab\n'],
    ['an option that is a line end', bytes('a', [255, 253, 10, 255, 253, 13], 'b\n'), 'ab\n'],
    ['options within a line end', bytes('a\r', [255, 253, 3], '\nb\n'), 'a\nb\n'],
  ])('takes out %s', (_, sent, text) => {
    expect(filtered(sent, size)).toBe(text);
  });

  it('takes each line end for one', () => {
    expect(filtered(bytes('a\nb\r\nc\r\0d\re\n\nf\r\rg\r\n\r\nh\0\n'), size)).toBe(
      'a\nb\nc\nd\ne\n\nf\n\ng\n\nh\0\n',
    );
  });

  it('lets other text be', () => {
    expect(filtered(bytes('qom-get "grün €" 🙂\n'), size)).toBe('qom-get "grün €" 🙂\n');
  });
});

it('gives a line at its carriage return, not only once more has come', () => {
  expect(Buffer.from(new TelnetInput().filter(bytes('stop\r'))).toString()).toBe('stop\n');
});

it('knows no commands where nobody is telnet, only line ends', () => {
  const input = new TelnetInput(false);
  expect([...input.filter(Uint8Array.of(0xff, 0xfb, 0x0d, 0x0a, 0xff, 0x0d))]).toEqual([
    ...[0xff, 0xfb, 0x0a, 0xff, 0x0a],
  ]);
});
