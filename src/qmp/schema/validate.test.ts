import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../json/value.ts';
import { any, bool, int, listOf, object, oneOf, optional, str, uint64, union } from './type.ts';
import { validate } from './validate.ts';

const type = object({
  path: str,
  count: optional(int),
  flag: optional(bool),
  value: optional(any),
  modes: optional(listOf(oneOf('a', 'b'))),
  inner: optional(object({ x: int })),
  at: optional(uint64),
  choice: optional(
    union('kind', { kind: oneOf('n', 's') }, { n: object({ n: int }), s: object({}) }),
  ),
});

const check = (value: JsonValue) => () => validate(type, value);

describe('validate', () => {
  it.each<[JsonValue]>([
    [{ path: '' }],
    [{ path: 'x', count: -1, flag: false, value: null, modes: ['a', 'b', 'a'] }],
    [{ path: 'x', inner: { x: 0 }, choice: { kind: 'n', n: 1 } }],
    [{ path: 'x', choice: { kind: 's' } }],
    [{ path: 'x', at: 0 }],
    [{ path: 'x', at: 2n ** 64n - 1n }],
  ])('accepts %o', (value) => {
    expect(check(value)).not.toThrow();
  });

  it.each<[JsonValue, string]>([
    [{}, "Parameter 'path' is missing"],
    [{ path: 1 }, "Invalid parameter type for 'path', expected: string"],
    [{ path: null }, "Invalid parameter type for 'path', expected: string"],
    [{ path: '', x: 1 }, "Parameter 'x' is unexpected"],
    [{ path: '', count: 1.5 }, "Invalid parameter type for 'count', expected: integer"],
    [{ path: '', count: 2n ** 60n }, "Invalid parameter type for 'count', expected: integer"],
    [{ path: '', at: -1 }, "Invalid parameter type for 'at', expected: uint64"],
    [{ path: '', at: 1.5 }, "Invalid parameter type for 'at', expected: uint64"],
    [{ path: '', at: 2n ** 64n }, "Invalid parameter type for 'at', expected: uint64"],
    [{ path: '', flag: 1 }, "Invalid parameter type for 'flag', expected: boolean"],
    [{ path: '', modes: {} }, "Invalid parameter type for 'modes', expected: array"],
    [{ path: '', modes: ['a', 'c'] }, "Parameter 'modes[1]' does not accept value 'c'"],
    [{ path: '', inner: { x: 1, y: 2 } }, "Parameter 'inner.y' is unexpected"],
    [{ path: '', inner: [] }, "Invalid parameter type for 'inner', expected: object"],
    [{ path: '', choice: { kind: 'n' } }, "Parameter 'choice.n' is missing"],
    [{ path: '', choice: { kind: 's', n: 1 } }, "Parameter 'choice.n' is unexpected"],
    [{ path: '', choice: { kind: 'toString' } }, "does not accept value 'toString'"],
  ])('refuses %o', (value, message) => {
    expect(check(value)).toThrow(message);
  });

  it('bounds what it quotes of a client', () => {
    expect(check({ path: '', ['x'.repeat(10_000)]: 1 })).toThrow(/^.{200,300}$/);
  });
});
