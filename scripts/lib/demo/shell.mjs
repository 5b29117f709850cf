// The guest on the user's own terminal, with the monitor a key away.
import { once } from 'node:events';
import { constants } from 'node:os';
import { machineArguments, spawnTsvmm } from './machine.mjs';

const HINTS = `
The next lines are the guest's, a stock Linux with a memory device of 1 TiB and
nothing plugged. Keys:

  Ctrl-A C   from the guest to the monitor and back
  Ctrl-A X   end it all ('poweroff -f' in the guest does so too)
  Ctrl-A H   the other keys

Try, in the monitor:    qom-set vm0 requested-size 3G
                        info memory-devices
                        info memslots
then, in the guest:     grep MemTotal /proc/meminfo

`;

/** Boots the guest; resolves to the exit status of tsvmm. */
export async function runShell(guest) {
  process.stdout.write(HINTS);
  // The keys are tsvmm's from here on, Ctrl-C among them; signals it gets from us.
  const machine = spawnTsvmm(
    machineArguments(guest, 'console=ttyS0 quiet', 'size=1T,dynamic-memslots=on'),
    'inherit',
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => machine.kill(signal));
  }
  process.on('exit', () => machine.kill('SIGKILL'));
  const [code, signal] = await once(machine, 'close');
  return code ?? 128 + constants.signals[signal];
}
