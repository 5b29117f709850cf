// scripts/demo, once everything is built: runs the tour, or leaves the user in the guest.
//
// Usage: node main.mjs [--shell]
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Machine } from './machine.mjs';
import { runShell } from './shell.mjs';
import { runTour, Untrue } from './tour.mjs';

const SCRIPTS = join(import.meta.dirname, '..', '..');
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGPIPE: 141 };

function findGuest() {
  const options = { encoding: 'utf8' };
  const path = execFileSync(join(SCRIPTS, 'assets'), ['--path', 'guest-kernel'], options).trim();
  const folder = dirname(path);
  const version = readFileSync(join(folder, 'version'), 'utf8').trim();
  return { kernel: path, initrd: join(folder, 'initrd'), version };
}

async function tour(guest) {
  const machines = [];
  const closeAll = () => Promise.all(machines.map((machine) => machine.close()));
  let interrupted;
  const interrupt = (status) => {
    interrupted ??= status;
    closeAll();
  };
  for (const [signal, status] of Object.entries(SIGNALS))
    process.on(signal, () => interrupt(status));
  // Nobody reads on: `scripts/demo | head`.
  process.stdout.on('error', () => interrupt(SIGNALS.SIGPIPE));
  const startMachine = (...settings) => {
    const machine = new Machine(guest, ...settings);
    machines.push(machine);
    return machine;
  };
  try {
    await runTour(guest, startMachine);
    return 0;
  } catch (error) {
    if (interrupted !== undefined) return interrupted;
    process.stdout.write(
      `\n${error instanceof Untrue ? `NOT TRUE: ${error.message}` : error.stack}\n`,
    );
    for (const machine of machines) process.stderr.write(machine.lastWords());
    return 1;
  } finally {
    await closeAll();
  }
}

const guest = findGuest();
process.exitCode = process.argv[2] === '--shell' ? await runShell(guest) : await tour(guest);
