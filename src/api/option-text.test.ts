import { describe, expect, it } from 'vitest';
import { optionText } from './option-text.ts';

describe('optionText', () => {
  it('writes keys as a user would', () => {
    const values = { id: 'vm0', requestedSize: '1G', size: 2 ** 33, prealloc: true, thp: false };
    expect(optionText('--virtio-mem', values)).toBe(
      'id=vm0,requested-size=1G,size=8589934592,prealloc=on,thp=off',
    );
  });

  it('leaves out what is undefined, and nothing else', () => {
    expect(optionText('--x', { a: undefined, b: 0, c: '' })).toBe('b=0,c=');
    expect(optionText('--x', {})).toBe('');
  });

  it('repeats a key for each element of a list', () => {
    expect(optionText('--x', { hostNodes: [0, 2], none: [] })).toBe('host-nodes=0,host-nodes=2');
  });

  it('refuses a value that would begin another key', () => {
    expect(() => optionText('--virtio-mem', { id: 'a,prealloc=on' })).toThrow(
      '--virtio-mem id=a,prealloc=on: a value cannot contain a comma',
    );
  });
});
