import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { claimantOf, claimFile } from '../../claimed-files.ts';
import { ConfigError, messageOf } from '../../errors.ts';
import { isLogLevel, LOG_LEVELS, setLogLevel, setLogTarget } from '../../log.ts';
import type { MonitorCommand } from '../command.ts';
import { printable } from '../text.ts';

export const logCommand: MonitorCommand = {
  name: 'log',
  parameters: [{ name: 'level', kind: 'log-level' }],
  summary: `choose what is logged: none, or from this level up: ${LOG_LEVELS.join(', ')}`,
  run: (args) => {
    const asked = args.required('level');
    const level = asked === 'none' ? 'silent' : asked;
    if (!isLogLevel(level)) {
      const message = `level=${printable(asked, 20)}: must be none or one of ${LOG_LEVELS.join(', ')}`;
      throw new ConfigError('BAD_VALUE', message);
    }
    setLogLevel(level);
    return '';
  },
};

/** The file that is logged to; the log is the process's, and so is this. */
let logFile: number | undefined;
let giveUpLogFile = (): void => undefined;

/** @throws ConfigError when it cannot be opened, or is a pipe or socket, which may block */
function openLogFile(path: string): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NONBLOCK } = constants;
  let fd: number | undefined;
  try {
    fd = openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0o600);
    if (!fstatSync(fd).isFile()) throw new Error('not a regular file');
    const claimant = claimantOf(fd);
    if (claimant !== undefined) throw new Error(`it is ${claimant}`);
    return fd;
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    throw new ConfigError('CANNOT_LOG', `cannot log to ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Logs to a file from now on, behind what it has; to stderr without one. @throws ConfigError */
export function logTo(path: string | undefined): void {
  const before = logFile;
  logFile = path === undefined ? undefined : openLogFile(path);
  giveUpLogFile();
  if (logFile !== undefined) giveUpLogFile = claimFile('the log', 'output', logFile);
  setLogTarget(logFile ?? process.stderr.fd);
  if (before !== undefined) closeSync(before);
}

export const logfile: MonitorCommand = {
  name: 'logfile',
  parameters: [{ name: 'file', optional: true, rest: true, kind: 'file' }],
  summary: 'log to a file from now on, behind what it has (to stderr without one)',
  run: (args) => {
    logTo(args.optional('file'));
    return '';
  },
};
