import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { Child } from '../harness/child.ts';
import { guestPath } from '../harness/guests.ts';
import { isOurs, mayLowerLimits, withFewMappings } from '../harness/few-mappings.ts';

const SCRIPT = fileURLToPath(new URL('fragmented-machines.mjs', import.meta.url));
/** Any two of the guests would take more than the process may spend of these. */
const LIMIT = 3600;

interface Outcome {
  readonly used: readonly number[];
  readonly unprotected: readonly number[];
  readonly left: number;
  readonly allocated: readonly number[];
}

it.skipIf(!mayLowerLimits())(
  'fragmented guests of one process leave it mappings, wherever they run',
  async () => {
    guestPath('agent');
    const child = new Child(process.execPath, [SCRIPT]);
    onTestFinished(() => child.kill('SIGKILL'));
    const made = (): Promise<unknown> => child.stdout.expect('made\n');
    const run = async (): Promise<void> => {
      child.write('go\n');
      expect(await child.exited).toEqual({ code: 0, signal: null });
    };
    const all = async (): Promise<void> => {
      await made();
      await run();
    };
    if (isOurs) await withFewMappings(LIMIT, all);
    else {
      await withFewMappings(LIMIT, made);
      await run();
    }
    const json = child.stdout.transcript.split('\n')[1] ?? '';
    const { used, unprotected, left, allocated } = JSON.parse(json) as Outcome;
    expect(unprotected[0]).toBe(0);
    expect(unprotected[2]).toBeGreaterThan(0);
    // A quarter is left, but for what the process has made of late.
    expect(Math.max(...used)).toBeGreaterThan(0.7 * LIMIT);
    expect(Math.max(...used)).toBeLessThan(0.8 * LIMIT);
    expect(left).toBeLessThan(0.1 * LIMIT);
    expect(allocated).toEqual([50, 300_000]);
  },
);
