import { expect, it } from 'vitest';
import { OutputHistory } from './output-history.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (taken: Uint8Array): string => Buffer.from(taken).toString();

it('keeps everything that fits, in order', () => {
  const history = new OutputHistory(8);
  history.push(bytes('abc'));
  history.push(bytes('de'));
  expect(text(history.from(0))).toBe('abcde');
  expect(text(history.from(3))).toBe('de');
  expect(text(history.from(5))).toBe('');
});

it('keeps the last bytes once more has come', () => {
  const history = new OutputHistory(4);
  for (const each of ['ab', 'cde', 'f']) history.push(bytes(each));
  expect(text(history.from(0))).toBe('cdef');
  expect([history.start, history.end]).toEqual([2, 6]);
});

it('keeps the end of one push that is larger than itself', () => {
  const history = new OutputHistory(4);
  history.push(bytes('x'));
  history.push(bytes('0123456789'));
  history.push(bytes('A'));
  expect(text(history.from(0))).toBe('789A');
});

it('agrees with slicing a string, whatever is pushed', () => {
  const history = new OutputHistory(7);
  let all = '';
  for (let i = 0; i < 500; i++) {
    const piece = 'abcdefghijklmnopqrstuvwxyz'.slice(i % 11, (i % 11) + ((i * 7) % 12));
    history.push(bytes(piece));
    all += piece;
    const start = Math.max(0, all.length - 7);
    for (let position = 0; position <= 7; position++) {
      expect(text(history.from(start + position))).toBe(all.slice(start).slice(position));
    }
    expect(history.end).toBe(all.length);
  }
});
