import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const GUESTS_DIR = join(import.meta.dirname, '..', 'guests');
const BUILD_DIR = join(GUESTS_DIR, 'build');

/**
 * The bare-metal guests: `agent` takes commands over the serial console, `hello` says so and powers
 * off, `stuck` cannot go on.
 */
export type GuestName = 'agent' | 'hello' | 'stuck';

let built = false;

/** Runs make under a lock, once a process: test files run in parallel. */
function buildGuests(): void {
  if (built) return;
  mkdirSync(BUILD_DIR, { recursive: true });
  const make = ['make', '--no-print-directory', '-C', GUESTS_DIR];
  const result = spawnSync('flock', [join(BUILD_DIR, '.lock'), ...make], { encoding: 'utf8' });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`the test guests do not build:\n${result.stderr}`);
  built = true;
}

/** Path of a guest's ELF file, built if need be. */
export function guestPath(name: GuestName): string {
  buildGuests();
  return join(BUILD_DIR, `${name}.elf`);
}
