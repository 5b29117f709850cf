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
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

function findGuest() {
  const options = { encoding: 'utf8' };
  const path = execFileSync(join(SCRIPTS, 'assets'), ['--path', 'guest-kernel'], options).trim();
  const folder = dirname(path);
  const version = readFileSync(join(folder, 'version'), 'utf8').trim();
  return { kernel: path, initrd: join(folder, 'initrd'), version };
}

async function tour(guest) {
  const machine = new Machine(guest);
  for (const [signal, status] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      process.exitCode = status;
      machine.close();
    });
  }
  // Nobody reads on: `scripts/demo | head`.
  process.stdout.on('error', () => machine.close());
  try {
    await runTour(machine, guest);
    return 0;
  } catch (error) {
    if (process.exitCode !== undefined || process.stdout.errored !== null)
      return process.exitCode ?? 1;
    const text = error instanceof Untrue ? `NOT TRUE: ${error.message}` : error.stack;
    process.stdout.write(`\n${text}\n`);
    process.stderr.write(machine.lastWords());
    return 1;
  } finally {
    await machine.close();
  }
}

const guest = findGuest();
process.exitCode = process.argv[2] === '--shell' ? await runShell(guest) : await tour(guest);
