import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { Child } from '../harness/child.ts';
import { guestPath } from '../harness/guests.ts';
import { startTsvmm } from '../harness/test-vm.ts';

const SCRIPT = fileURLToPath(new URL('idle-machine.mjs', import.meta.url));

it.each([
  ['created', 'created'],
  ['stopped', 'paused'],
  ['violated', 'paused'],
])('a machine that is %s keeps the process alive until it is closed', async (where, status) => {
  guestPath('agent');
  const child = new Child(process.execPath, [SCRIPT, where]);
  onTestFinished(() => child.kill('SIGKILL'));
  const exit = await child.exited;
  const { stdout, stderr } = child;
  expect({ stdout: stdout.transcript, stderr: stderr.transcript, exit }).toEqual({
    stdout: `${status}\nquit\n`,
    stderr: '',
    exit: { code: 0, signal: null },
  });
});

it('run waits with a guest that was stopped, though nobody could let it go on', async () => {
  const poke = 'virtio init;poke 8 0x100000000 1';
  const args = ['run', '--kernel', guestPath('agent'), '--append', poke, '--monitor', 'none'];
  const child = startTsvmm([...args, '--virtio-mem', 'size=1G,dynamic-memslots=on']);
  child.endInput();
  await child.stderr.expect('not plugged');
  // A process that has nothing to wait for is gone before it is asked for its state.
  const processState = (): string => readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  await expect.poll(processState).toMatch(/\) S /);
  child.kill('SIGTERM');
  expect(await child.exited).toEqual({ code: 0, signal: null });
});
