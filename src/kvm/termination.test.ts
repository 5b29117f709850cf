import { describe, expect, it } from 'vitest';
import { runWorkers } from './testing/child.ts';
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
