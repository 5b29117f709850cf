import { describe, expect, it } from 'vitest';
import { parseEventInterval, parseQmpTarget } from './target.ts';

describe('parseQmpTarget', () => {
  it.each([
    ['unix:/run/a:b,c', { kind: 'unix', path: '/run/a:b,c' }],
    ['tcp:4444', { kind: 'tcp', host: '127.0.0.1', port: 4444 }],
    ['tcp::0', { kind: 'tcp', host: '127.0.0.1', port: 0 }],
    ['tcp:localhost:4444', { kind: 'tcp', host: 'localhost', port: 4444 }],
    ['tcp:0.0.0.0:65535', { kind: 'tcp', host: '0.0.0.0', port: 65_535 }],
    ['tcp:[::1]:4444', { kind: 'tcp', host: '::1', port: 4444 }],
  ])('reads %s', (text, target) => {
    expect(parseQmpTarget(text)).toEqual(target);
  });

  it.each([
    '',
    'stdio',
    'unix:',
    'unix:a\0b',
    'tcp:',
    'tcp:x',
    'tcp:h:x',
    'tcp:h:65536',
    'tcp:::1:4',
  ])('refuses %j by name', (text) => {
    expect(() => parseQmpTarget(text)).toThrow(`--qmp ${text.replace('\0', '\\0')}: `);
  });
});

describe('parseEventInterval', () => {
  it('takes milliseconds', () => {
    expect(['0', '1000', '86400000'].map(parseEventInterval)).toEqual([0, 1000, 86_400_000]);
  });

  it.each(['', '-1', '1.5', '1s', '86400001', '999999999'])('refuses %j', (text) => {
    expect(() => parseEventInterval(text)).toThrow(`--qmp-event-interval=${text}: `);
  });
});
