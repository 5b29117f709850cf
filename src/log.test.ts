import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { log, LOG_LEVELS, setLogLevel, setLogTarget } from './log.ts';

let folder: string;
let fd: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-log-'));
  fd = openSync(join(folder, 'log'), 'w');
  setLogTarget(fd);
});

afterEach(() => {
  setLogTarget(process.stderr.fd);
  setLogLevel('info');
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

interface Line {
  readonly level: number;
  readonly component: string;
  readonly msg: string;
  readonly at?: number;
  readonly suppressed?: number;
}

function lines(): Line[] {
  const text = readFileSync(join(folder, 'log'), 'utf8').trimEnd();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Line);
}

describe('traces', () => {
  it.each(LOG_LEVELS)('are on or off at %s', (level) => {
    setLogLevel(level);
    const logger = log('test');
    logger.trace({ at: 1 }, 'here');
    const isTraced = level === 'trace' || level === 'trace-all';
    expect(logger.isTraced).toBe(isTraced);
    const line = { level: 10, component: 'test', at: 1, msg: 'here' };
    expect(lines()).toEqual(isTraced ? [expect.objectContaining(line)] : []);
  });

  it('are limited for each logger, and count what was left out', async () => {
    setLogLevel('trace');
    const flood = log('flood');
    for (let at = 1; at <= 5000; at++) flood.trace({ at }, 'again');
    log('other').trace({}, 'not drowned');
    expect(lines().at(-1)).toMatchObject({ component: 'other', msg: 'not drowned' });
    await vi.waitUntil(() => lines().some(({ at }) => at === 5000), { timeout: 60_000 });
    const written = lines().filter(({ component }) => component === 'flood');
    expect(written[99]?.at).toBe(100);
    const suppressed = written.reduce((sum, line) => sum + (line.suppressed ?? 0), 0);
    expect(written.length + suppressed).toBe(5000);
  });

  it('are all there at trace-all', () => {
    setLogLevel('trace');
    const logger = log('test');
    for (let i = 0; i < 150; i++) logger.trace({}, 'limited');
    setLogLevel('trace-all');
    for (let at = 0; at < 500; at++) logger.trace({ at }, 'all');
    const limited = lines().slice(0, -500);
    expect(limited.at(-1)).toMatchObject({ msg: 'limited', suppressed: 49 });
    const all = lines().slice(-500);
    expect(all.map(({ at }) => at)).toEqual(Array.from({ length: 500 }, (_, at) => at));
  });
});
