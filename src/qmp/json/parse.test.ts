import { describe, expect, it } from 'vitest';
import { JsonError, parseJson } from './parse.ts';
import { writeJson } from './write.ts';

describe('parseJson', () => {
  it.each([
    'null',
    'true',
    '-0.5',
    '1e3',
    '"a\\u00e9\\n\\"b\\/"',
    '[]',
    '{}',
    ' [1, [2, {"a": [null, false]}], "x"]\n',
    '{"a": {"b": []}, "": 0, "c d": "\\ud83d\\ude00"}',
    '999999999999999',
    '9007199254740991',
  ])('reads %s as JSON.parse does', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it.each([
    ['', 'expecting value'],
    ['nonsense', "invalid keyword 'nonsense'"],
    ['}', 'expecting value'],
    ['{"a":1,}', 'expecting the name of a member'],
    ['{"a" 1}', 'missing : in object pair'],
    ['{"a":1]', 'expected separator in dict'],
    ['[1 2]', 'expected separator in list'],
    ['[1,]', 'expecting value'],
    ["{'a':1}", 'expecting the name of a member'],
    ['"a\nb"', 'invalid string'],
    ['"\\x"', 'invalid string'],
    ['"\\ud800"', 'half of a surrogate pair in a string'],
    ['01', 'unexpected text behind the value'],
    ['-', 'invalid number'],
    ['1e400', 'number out of range'],
    ['{"a":1,"a":2}', 'duplicate key'],
    ['NaN', "invalid keyword 'NaN'"],
  ])('refuses %j: %s', (text, message) => {
    expect(() => parseJson(text)).toThrow(new JsonError(message));
  });

  it('keeps integers exact that a number would round', () => {
    expect(parseJson('9007199254740993')).toBe(9_007_199_254_740_993n);
    expect(parseJson('-18446744073709551616')).toBe(-18_446_744_073_709_551_616n);
  });

  it('takes __proto__ as a name like any other', () => {
    const value = parseJson('{"__proto__": {"execute": "quit"}}');
    expect(value).not.toHaveProperty('execute');
    expect(Object.keys(value as object)).toEqual(['__proto__']);
  });
});

describe('writeJson', () => {
  it('writes one line of ASCII, spaced as scripts expect it', () => {
    const value = { return: [1, { a: null, b: true }], id: 'é\n\u{1f600}' };
    expect(writeJson(value)).toBe(
      '{"return": [1, {"a": null, "b": true}], "id": "\\u00E9\\n\\uD83D\\uDE00"}',
    );
  });

  it('leaves out what is undefined', () => {
    expect(writeJson({ id: undefined, return: {} })).toBe('{"return": {}}');
  });

  it.each(['9007199254740993', '[1, {"a": "\\u2028"}, -2.5, []]', '{"": {}}'])(
    'gives %s back as it was read',
    (text) => {
      expect(writeJson(parseJson(text))).toBe(text);
    },
  );
});
