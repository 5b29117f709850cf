import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { Child } from '../harness/child.ts';
import { guestPath } from '../harness/guests.ts';

const SCRIPT = fileURLToPath(new URL('machine-workers.mjs', import.meta.url));

// More in turn than there are realtime signals.
it.each([
  ['terminated', 60],
  ['in-turn', 32],
  ['served', 2],
])('machines run in workers (%s), and the process lives', async (how, count) => {
  guestPath('agent');
  const child = new Child(process.execPath, [SCRIPT, how, String(count)]);
  onTestFinished(() => child.kill('SIGKILL'));
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(child.stdout.transcript).toBe('alive\n');
  expect(child.stderr.transcript).toBe('');
});
