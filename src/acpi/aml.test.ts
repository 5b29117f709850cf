import { describe, expect, it } from 'vitest';
import { buffer, device, eisaId, integer, method, pack, path, string, uuid } from './aml.ts';

describe('integers', () => {
  it.each([
    [0, [0x00]],
    [1, [0x01]],
    [2, [0x0a, 2]],
    [0xff, [0x0a, 0xff]],
    [0x100, [0x0b, 0x00, 0x01]],
    [0x1_0000, [0x0c, 0, 0, 1, 0]],
    [0xffff_ffff, [0x0c, 0xff, 0xff, 0xff, 0xff]],
    [2 ** 32, [0x0e, 0, 0, 0, 0, 1, 0, 0, 0]],
  ])('encodes %d in its shortest form', (value, bytes) => {
    expect(integer(value)).toEqual(bytes);
  });

  it.each([-1, 1.5, 2 ** 53])('refuses %d', (value) => {
    expect(() => integer(value)).toThrow(RangeError);
  });
});

describe('package lengths', () => {
  it.each([
    // [bytes in the buffer, bytes of the length]
    [0, 1],
    [0x3f - 3, 1],
    [0x3f - 2, 2],
    [0xfff - 5, 2],
    [0xfff - 4, 3],
    [0xf_ffff - 8, 3],
    [0xf_ffff - 7, 4],
  ])('of a buffer of %d bytes take %d', (count, lengthBytes) => {
    const bytes = buffer(Array.from({ length: count }, () => 0x55));
    const [, lead = 0, ...rest] = bytes;
    expect(lead >> 6).toBe(lengthBytes - 1);
    let length = lengthBytes === 1 ? lead & 0x3f : lead & 0x0f;
    for (let i = 0; i < lengthBytes - 1; i += 1) length += (rest[i] ?? 0) * 2 ** (4 + 8 * i);
    expect(length).toBe(bytes.length - 1);
  });
});

describe('names', () => {
  const encoded = (text: string): string => Buffer.from(path(text)).toString('latin1');

  it('are filled up to four characters', () => {
    expect(encoded('PCI0')).toBe('PCI0');
    expect(encoded('\\_SB')).toBe('\\_SB_');
  });

  it('of two and more segments carry a prefix', () => {
    expect(encoded('_SB.PCI0')).toBe('._SB_PCI0');
    expect(encoded('\\_SB.PCI0.S0')).toBe('\\/\x03_SB_PCI0S0__');
  });

  it.each(['', 'TOOLONG', '1ABC', 'a', '_SB..X'])("'%s' is refused", (text) => {
    expect(() => path(text)).toThrow(RangeError);
  });
});

describe('terms', () => {
  it('encodes an EISA id big-endian, three letters in 15 bits', () => {
    expect(eisaId('PNP0A08')).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x08]);
    expect(() => eisaId('PNP0A0')).toThrow(RangeError);
  });

  it('encodes a UUID with its first three groups little-endian', () => {
    const bytes = uuid('00112233-4455-6677-8899-aabbccddeeff').slice(-16);
    expect(Buffer.from(bytes).toString('hex')).toBe('33221100554477668899aabbccddeeff');
    expect(() => uuid('0011')).toThrow(RangeError);
  });

  it('ends a string with a zero and refuses what is not ASCII', () => {
    expect(string('A1')).toEqual([0x0d, 0x41, 0x31, 0]);
    expect(() => string('ä')).toThrow(RangeError);
  });

  it('counts the elements of a package', () => {
    expect(pack([integer(0), integer(7)])).toEqual([0x12, 5, 2, 0, 0x0a, 7]);
    expect(() => pack(Array.from({ length: 256 }, () => integer(0)))).toThrow(RangeError);
  });

  it('puts flags and arguments of a method into one byte', () => {
    expect(method('_OSC', { args: 4, serialized: true }, [])).toEqual([
      0x14,
      6,
      ...Buffer.from('_OSC'),
      0x0c,
    ]);
  });

  it('nests devices', () => {
    expect(device('A', [device('B', [])])).toEqual([
      ...[0x5b, 0x82, 12, ...Buffer.from('A___')],
      ...[0x5b, 0x82, 5, ...Buffer.from('B___')],
    ]);
  });
});
