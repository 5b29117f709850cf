import { describe, expect, it } from 'vitest';
import { GuestLog } from './guest-log.ts';

describe('what guests do wrong', () => {
  it('is logged once a second, with the number of lines left out', () => {
    const lines: [object, string][] = [];
    const warn = (fields: object, message: string): void => void lines.push([fields, message]);
    let now = 0;
    const log = new GuestLog({ warn }, () => now);
    log.warn({ device: 'a' }, 'one');
    log.warn({ device: 'a' }, 'two');
    now = 999;
    log.warn({ device: 'a' }, 'three');
    now = 1000;
    log.warn({ device: 'a' }, 'four');
    now = 5000;
    log.warn({ device: 'a' }, 'five');
    expect(lines).toEqual([
      [{ device: 'a' }, 'one'],
      [{ device: 'a', suppressed: 2 }, 'four'],
      [{ device: 'a' }, 'five'],
    ]);
  });
});
