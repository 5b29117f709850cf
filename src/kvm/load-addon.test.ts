import { describe, expect, it } from 'vitest';
import { whyNotLoaded, whyUnsupported } from './load-addon.ts';

const HERE = { platform: 'linux', arch: 'x64', versions: { node: '24.0.0' } };

function dlopenError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_DLOPEN_FAILED' });
}

describe('the platform', () => {
  it('is Node.js on Linux on x86-64', () => {
    expect(whyUnsupported(HERE)).toBeUndefined();
    expect(whyUnsupported(process)).toBeUndefined();
  });

  it.each([
    [{ versions: { node: '24.3.0', bun: '1.2.3' } }, 'Node.js only, not on Bun 1.2.3'],
    [{ versions: { node: '24.3.0', deno: '2.9.6' } }, 'Node.js only, not on Deno 2.9.6'],
    [{ platform: 'darwin', arch: 'arm64' }, 'Linux only, which has KVM, not on darwin'],
    [{ platform: 'win32' }, 'not on win32'],
    [{ arch: 'arm64' }, 'x86-64 (x64) only, not on arm64'],
    [{ arch: 'ia32' }, 'not on ia32'],
  ])('is refused by name: %o', (change, text) => {
    const why = whyUnsupported({ ...HERE, ...change });
    expect(why).toContain(text);
    expect(why).not.toContain('\n');
  });
});

describe('an addon that is not loaded', () => {
  // What musl's loader says of a library made for glibc.
  const MUSL = 'Error loading shared library ld-linux-x86-64.so.2: No such file or directory';
  const OLD = "/lib/libc.so.6: version `GLIBC_2.34' not found (required by /x/tsvmm.node)\n";

  it.each([
    [dlopenError(MUSL), undefined, 'is for glibc, and Node.js runs on another C library here'],
    [dlopenError(OLD), '2.31', 'needs GLIBC_2.34, and this host has glibc 2.31'],
    [dlopenError('/x/tsvmm.node: file too short'), '2.36', '/x/tsvmm.node: file too short'],
    [
      Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' }),
      '2.36',
      'there is no addon /',
    ],
  ])('says in one line how to compile it: %s', (error, glibc, text) => {
    const why = whyNotLoaded(error, glibc);
    expect(why).toContain(text);
    expect(why).toMatch(/; compile it: node '\/.*\/scripts\/build-native\.mjs'$/);
    expect(why).not.toContain('\n');
  });

  it('does not advise to compile what has loaded and then failed', () => {
    const why = whyNotLoaded(new Error('no realtime signal is free'), '2.36');
    expect(why).toMatch(/tsvmm\.node: no realtime signal is free$/);
  });
});
