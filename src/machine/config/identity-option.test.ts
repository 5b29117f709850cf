import { expect, it } from 'vitest';
import { NO_IDENTITY, parseIdentity } from './identity-option.ts';

it('a machine has a name and a UUID', () => {
  expect(parseIdentity('web', '550E8400-e29b-41d4-a716-446655440000')).toEqual({
    name: 'web',
    uuid: '550e8400-e29b-41d4-a716-446655440000',
  });
  expect(parseIdentity(undefined, undefined)).toEqual(NO_IDENTITY);
});

it.each([
  ['', undefined, '--name=: a name has 1 to 128 characters'],
  ['x'.repeat(129), undefined, 'a name has 1 to 128 characters'],
  ['a\nb', undefined, '--name="a\\nb": a name is a line of characters'],
  ['a\0', undefined, 'a name is a line of characters'],
  ['a\u2028b', undefined, 'a name is a line of characters'],
  ['web', '', '--uuid=: not a UUID'],
  ['web', '550e8400e29b41d4a716446655440000', 'not a UUID, as'],
])('%j and %j are refused', (name, uuid, error) => {
  expect(() => parseIdentity(name, uuid)).toThrow(error);
});
