import { expect, it } from 'vitest';
import { GREETING_AND_PROMPT, parsePrompt } from './prompt.ts';

it('has the name in parentheses, and echoes for clients of the established monitor', () => {
  expect(parsePrompt('tsvmm')).toEqual({ prompt: '(tsvmm) ', echoes: false });
  expect(parsePrompt('qemu')).toEqual({ prompt: '(qemu) ', echoes: true });
  expect(parsePrompt('guest-1.lan')).toEqual({ prompt: '(guest-1.lan) ', echoes: false });
});

it.each(['', ' ', '(qemu) ', 'a b', 'a\nb', 'x'.repeat(33), 'ä'])('refuses %j by name', (name) => {
  expect(() => parsePrompt(name)).toThrow(`--monitor-prompt=${JSON.stringify(name)}: must be qemu`);
});

it('is known to clients once all of it is there', () => {
  const greeting = 'tsvmm 1.2.3 monitor - type more\r\n(qemu) ';
  for (let length = 0; length < greeting.length; length++) {
    expect(GREETING_AND_PROMPT.test(greeting.slice(0, length))).toBe(false);
  }
  expect(GREETING_AND_PROMPT.exec(greeting)?.slice(2)).toEqual(['\r', '(qemu) ']);
});
