import { describe, expect, it } from 'vitest';
import { ConfigError } from '../errors.ts';
import { parseMonitorTarget, parseSerialTarget } from './target.ts';

describe('parseSerialTarget', () => {
  it.each([
    ['none', { kind: 'none' }],
    ['stdio', { kind: 'stdio' }],
    ['file:out.log', { kind: 'file', path: 'out.log' }],
    ['unix:/tmp/a:b', { kind: 'unix', path: '/tmp/a:b', whenFull: 'drop' }],
    ['unix:s,1,when-full=block', { kind: 'unix', path: 's,1', whenFull: 'block' }],
    ['unix:s,when-full=drop', { kind: 'unix', path: 's', whenFull: 'drop' }],
  ])('takes %s', (text, target) => {
    expect(parseSerialTarget(text)).toEqual(target);
  });

  it.each(['', 'tcp:1', 'file:', 'unix:', 'STDIO', 'unix:a\0b'])('refuses %j by name', (text) => {
    expect(() => parseSerialTarget(text)).toThrow(ConfigError);
    expect(() => parseSerialTarget(text)).toThrow(/--serial/);
  });
});

it.each([
  ['unix:s,when-full=wait', 'when-full=wait: must be drop or block'],
  ['unix:s,when-full=', 'when-full=: must be drop or block'],
  ['unix:s,server=on', 'unknown key server'],
  ['unix:s,server=on,when-full=drop', 'unknown key server'],
  ['unix:s,when-full=drop,when-full=block', 'twice'],
  ['unix:,when-full=drop', 'the path is missing'],
])('refuses --serial %s', (text, why) => {
  expect(() => parseSerialTarget(text)).toThrow('--serial unix:');
  expect(() => parseSerialTarget(text)).toThrow(why);
});

describe('parseMonitorTarget', () => {
  it('takes stdio, none and sockets', () => {
    expect(parseMonitorTarget('stdio')).toEqual({ kind: 'stdio' });
    expect(parseMonitorTarget('none')).toEqual({ kind: 'none' });
    expect(parseMonitorTarget('unix:mon.sock')).toEqual({ kind: 'unix', path: 'mon.sock' });
  });

  it('refuses a file, which cannot be talked to', () => {
    expect(() => parseMonitorTarget('file:x')).toThrow(
      '--monitor file:x: must be stdio, none, unix:PATH, tcp:ADDR:PORT or tcp:PORT',
    );
  });
});
