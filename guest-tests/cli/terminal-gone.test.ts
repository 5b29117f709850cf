import { expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { loseTerminal } from '../harness/terminal.ts';
import { bootAgent } from '../harness/test-vm.ts';

const AGENT = ['run', '--kernel', guestPath('agent')];

/*
 * Node puts its standard streams back when it exits, and aborts where a terminal is gone. What comes
 * out is the exit code that is due: of an end by a signal, 0; of a client that SIGHUP ends, 129.
 */
it.each([
  ['that writes', [...AGENT, '--append', 'flood 100000']],
  ['that is silent', AGENT],
  ['with a monitor alone', [...AGENT, '--serial', 'none', '--monitor', 'stdio'], '(tsvmm) '],
])(
  'a machine %s ends in order when its terminal goes away',
  async (_what, args, text = 'agent ready') => {
    const lost = loseTerminal(text, args);
    await lost.exited;
    expect(lost.stderr.transcript).toBe('exit 0');
  },
);

it('a client of the monitor ends when its terminal goes away', async () => {
  const vm = await bootAgent();
  const lost = loseTerminal('(tsvmm) ', ['monitor', vm.monitorPath]);
  await lost.exited;
  // The end of its input or the signal, whichever the kernel brings first; never a crash.
  expect(lost.stderr.transcript).toMatch(/^exit (0|129)$/);
});
