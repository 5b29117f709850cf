import { describe, expect, it } from 'vitest';
import { strangerOf } from './stranger.ts';

describe('strangerOf', () => {
  it.each([
    'GET / HTTP/1.1',
    'POST /a%20b?c=d HTTP/1.0',
    'OPTIONS * HTTP/1.1',
    'CONNECT host:1 HTTP/1.1',
    'PRI * HTTP/2.0',
    'x-own http://host/ HTTP/1.1',
  ])('knows %s as a request', (text) => {
    expect(strangerOf({ text })).toBe('an HTTP request');
  });

  it.each(['\x16\x03\x01\x02', '\0\x01\0\x08!\x12'])('knows %j as binary', (text) => {
    expect(strangerOf({ text })).toBe('binary data');
  });

  it('takes what is too long for a request whose end is not seen', () => {
    expect(strangerOf('too-long')).toContain('longer');
  });

  it.each(['', 'info status', 'qom-get /machine HTTP', 'GET', '\x1b[A', '\tinfo'])(
    'leaves %j alone',
    (text) => {
      expect(strangerOf({ text })).toBeUndefined();
    },
  );
});
