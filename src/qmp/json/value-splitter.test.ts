import { describe, expect, it } from 'vitest';
import { ValueSplitter } from './value-splitter.ts';

const LIMITS = { bytes: 100, depth: 4 };

function splitBytes(chunks: readonly Uint8Array[], limits = LIMITS): string[] {
  const splitter = new ValueSplitter(limits);
  const found: string[] = [];
  for (const chunk of chunks) {
    splitter.push(chunk);
    for (let next = splitter.next(); next !== undefined; next = splitter.next()) {
      found.push('text' in next ? next.text : `! ${next.problem}`);
      if ('fatal' in next && next.fatal) return found;
    }
  }
  return found;
}

const split = (...texts: string[]): string[] => splitBytes(texts.map((it) => Buffer.from(it)));

describe('ValueSplitter', () => {
  it('finds values that span lines, share one, and touch each other', () => {
    expect(split(' {"a":\n[1,\n2]}{"b":"}{"} [] \r\n')).toEqual([
      '{"a":\n[1,\n2]}',
      '{"b":"}{"}',
      '[]',
    ]);
  });

  it('gives a value as soon as its last byte has come', () => {
    expect(split('{"execute":"quit"', '}')).toEqual(['{"execute":"quit"}']);
    expect(split('"x"')).toEqual(['"x"']);
    expect(split('12')).toEqual([]);
    expect(split('12', ' ')).toEqual(['12']);
  });

  it('does not mistake quoted brackets and escaped quotes', () => {
    expect(split('{"a":"\\"}","b":"\\\\"}[')).toEqual(['{"a":"\\"}","b":"\\\\"}']);
  });

  it('finds the same however the bytes are cut', () => {
    const bytes = Buffer.from('{"a":"\\\\\\"é}"} 17 [[],{}]"s" true\n}{"b":"open\n:x,[1]');
    const whole = splitBytes([bytes]);
    expect(whole).toHaveLength(11);
    for (let size = 1; size < 9; size++) {
      const chunks = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      expect(splitBytes(chunks)).toEqual(whole);
    }
  });

  it('ends a string at a raw newline: an open quotation costs one value', () => {
    expect(split('{"execute":"stop\n{"execute":"cont"}')).toEqual([
      '{"execute":"stop\n',
      '{"execute":"cont"}',
    ]);
  });

  it('abandons what has begun at a byte 0xff', () => {
    const bytes = Buffer.concat([Buffer.from('{"a":['), Buffer.from([0xff]), Buffer.from('{}')]);
    expect(splitBytes([bytes])).toEqual(['! not UTF-8', '{}']);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(splitBytes([Buffer.from([0x22, 0xc3, 0x28, 0x22, 0x5b, 0x5d])])).toEqual([
      '! not UTF-8',
      '[]',
    ]);
  });

  it('gives up a value that is too long, before it has ended', () => {
    expect(split(`"${'x'.repeat(98)}"`)).toHaveLength(1);
    expect(split(`"${'x'.repeat(60)}`, 'x'.repeat(60))).toEqual(['! longer than 100 bytes']);
    expect(split('1'.repeat(101))).toEqual(['! longer than 100 bytes']);
  });

  it('gives up a value that is nested too deep', () => {
    expect(split('[[[[]]]]')).toEqual(['[[[[]]]]']);
    expect(split('[{"a":[[[')).toEqual(['! nested deeper than 4']);
  });

  it('skips any amount of space between values', () => {
    expect(split(...Array.from({ length: 50 }, () => ' \r\n\t'.repeat(100)), '1 ')).toEqual(['1']);
  });
});
