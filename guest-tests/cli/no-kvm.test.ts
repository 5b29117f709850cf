import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Child } from '../harness/child.ts';
import { guestPath } from '../harness/guests.ts';

const CLI = join(import.meta.dirname, '..', '..', 'dist', 'cli.cjs');

/**
 * Runs tsvmm where /dev is another one: a mount namespace of its own, in which `prepare` has put
 * things in place. Privileges to ignore file permissions are dropped.
 */
async function runWith(prepare: string, args: readonly string[]): Promise<Child> {
  const drop = 'setpriv --bounding-set=-dac_override,-dac_read_search';
  const script = `${prepare} && exec ${drop} "$0" "$@"`;
  const child = new Child('unshare', ['-m', 'sh', '-c', script, process.execPath, CLI, ...args]);
  onTestFinished(async () => {
    await child.stop();
  });
  await child.exited;
  return child;
}

const MISSING = 'mount -t tmpfs none /dev';
const FORBIDDEN =
  'mount -t tmpfs none /dev && mknod /dev/kvm c 10 232 && chmod 0 /dev/kvm && chown 65534 /dev/kvm';
const NOT_KVM = 'mount -t tmpfs none /dev && mknod /dev/kvm c 1 3';

describe('a host without a usable KVM', () => {
  it.each([
    ['is missing', MISSING, '/dev/kvm does not exist: load kvm_intel or kvm_amd'],
    ['may not be opened', FORBIDDEN, 'may not be opened by this user: add the user to the group'],
    ['is something else', NOT_KVM, '/dev/kvm is not a KVM device'],
  ])('%s: one line says what to do, exit code 1', async (_name, prepare, message) => {
    const child = await runWith(prepare, ['run', '--kernel', guestPath('hello')]);
    expect((await child.exited).code).toBe(1);
    expect(child.stderr.transcript).toContain(message);
    expect(child.stderr.transcript.trimEnd().split('\n')).toHaveLength(1);
  });

  it.each([
    ['is missing', MISSING, 'load kvm_intel or kvm_amd'],
    ['may not be opened', FORBIDDEN, 'usermod -aG kvm'],
  ])('doctor says how to mend it when it %s', async (_name, prepare, advice) => {
    const child = await runWith(prepare, ['doctor']);
    expect((await child.exited).code).toBe(1);
    expect(child.stdout.transcript).toMatch(/^BAD .*\/dev\/kvm/m);
    expect(child.stdout.transcript).toContain(advice);
  });
});
