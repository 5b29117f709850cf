import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import { EXIT_CODE, messageOf } from '../errors.ts';

/** Who reads no more, as `head`, or a terminal that is gone, has seen enough: that is no failure of ours. */
function readerIsGone(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'EIO';
}

/**
 * Node puts terminals back as it found them when it exits, and aborts where one is gone meanwhile:
 * after SIGHUP, or when ssh lost its connection. We put back what we change ourselves, so Node gets
 * nothing to put back; it leaves alone what is no longer the file that it started with. At the very
 * end, since a look whether the terminal is still there would be out of date at once.
 */
function leaveTerminals(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on('exit', () => {
    for (const fd of terminals) {
      closeSync(fd);
      // The lowest number that is free: the one just closed.
      openSync('/dev/null', 'r+');
    }
  });
}

/**
 * Has standard streams end when those at their other ends do. Output that cannot be written is told,
 * once, by a line and the exit code, whatever the command makes of it.
 */
export function guardStandardStreams(): void {
  let isLost = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (readerIsGone(error) || isLost) return;
    isLost = true;
    process.stderr.write(`tsvmm: standard output: ${messageOf(error)}\n`);
  });
  process.on('exit', (code) => {
    if (isLost && code === EXIT_CODE.ok) process.exitCode = EXIT_CODE.host;
  });
  process.stderr.on('error', () => undefined);
  leaveTerminals();
}
