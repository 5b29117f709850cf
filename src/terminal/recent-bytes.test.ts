import { expect, it } from 'vitest';
import { RecentBytes } from './recent-bytes.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (taken: Uint8Array): string => Buffer.from(taken).toString();

it('keeps everything that fits, in order', () => {
  const recent = new RecentBytes(8);
  recent.push(bytes('abc'));
  recent.push(bytes('de'));
  expect(text(recent.take())).toBe('abcde');
});

it('keeps the last bytes once more has come', () => {
  const recent = new RecentBytes(4);
  for (const each of ['ab', 'cde', 'f']) recent.push(bytes(each));
  expect(text(recent.take())).toBe('cdef');
});

it('keeps the end of one push that is larger than itself', () => {
  const recent = new RecentBytes(4);
  recent.push(bytes('x'));
  recent.push(bytes('0123456789'));
  recent.push(bytes('A'));
  expect(text(recent.take())).toBe('789A');
});

it('agrees with slicing a string, whatever is pushed', () => {
  const recent = new RecentBytes(7);
  let all = '';
  for (let i = 0; i < 500; i++) {
    const piece = 'abcdefghijklmnopqrstuvwxyz'.slice(i % 11, (i % 11) + ((i * 7) % 12));
    recent.push(bytes(piece));
    all += piece;
    if (i % 13 === 0) {
      expect(text(recent.take())).toBe(all.slice(-7));
      all = '';
    }
  }
});

it('keeps nothing after it was taken', () => {
  const recent = new RecentBytes(4);
  recent.push(bytes('abcdef'));
  recent.take();
  expect(recent.take()).toHaveLength(0);
});
