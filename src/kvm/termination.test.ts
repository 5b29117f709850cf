import { describe, expect, it } from 'vitest';
import { runStoppedScripts, runToItsEnd, runWorkers } from './testing/child.ts';
import { NO_KVM } from './testing/tiny-guest.ts';

/*
 * A worker may be terminated at any moment: from then on every call of JavaScript that native code
 * makes fails. Nothing of that may end the process. Each kind is some native work that goes on when
 * the end comes.
 */
describe.skipIf(NO_KVM !== '')('a process whose workers end', () => {
  it.each([
    ['while the addon is loaded', ['init'], 60],
    ['in calls of handles', ['events', 'watchFaults', 'getState', 'vms'], 25],
    ['in calls that fail', ['errors'], 40],
    ['while memory is mapped and seen', ['mappings', 'views', 'memfds', 'memfdKept'], 20],
    ['with work in flight', ['pool', 'close'], 20],
    ['in callbacks', ['exits', 'posted', 'watch', 'throws'], 20],
    ['by themselves', ['uncaught', 'exit', 'memoryLimit'], 5],
  ])('lives on when they end %s, and nothing is left', async (_when, kinds, count) => {
    const { stdout, stderr, signal } = await runWorkers(count, kinds);
    expect({ stdout, stderr, signal }).toEqual({ stdout: 'alive 0\n', stderr: '', signal: null });
  });
});

describe.skipIf(NO_KVM !== '')('a script that node:vm stops when its time is up', () => {
  it('ends with that error wherever the addon was, which works on', async () => {
    const calls = ['events', 'watchFaults', 'getState', 'vms', 'errors'];
    const memory = ['mappings', 'views', 'memfds'];
    const { stdout, stderr, signal } = await runStoppedScripts(25, [...calls, ...memory]);
    expect({ stdout, stderr, signal }).toEqual({
      stdout: 'alive ERR_SCRIPT_EXECUTION_TIMEOUT\n',
      stderr: '',
      signal: null,
    });
  });
});

describe.skipIf(NO_KVM !== '')('a process that ends while the addon is at work', () => {
  const inMain = ['exits', 'posted', 'close'];
  const inWorkers = ['pool', 'exits', 'errors', 'mappings'];

  it.each([
    ['exit', 7],
    ['throws', 1],
    ['rejects', 1],
    ['throwsInExitHandler', 7],
  ])('ends by %s at any moment with exit code %d, and no signal', async (how, expected) => {
    for (const kind of inMain) {
      const { code, signal, stderr } = await runToItsEnd(how, [kind, ...inWorkers]);
      expect({ kind, code, signal }).toEqual({ kind, code: expected, signal: null });
      const error = expect.stringContaining('Error: of the program\n') as string;
      expect(stderr).toEqual(how.endsWith('xit') ? '' : error);
    }
  });
});
