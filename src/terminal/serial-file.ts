import {
  closeSync,
  constants,
  createWriteStream,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { claimantOf, claimFile } from '../claimed-files.ts';
import { ConfigError, messageOf } from '../errors.ts';
import { ByteSink } from './byte-sink.ts';
import type { SerialBackend } from './serial-backend.ts';

const { O_WRONLY, O_CREAT, O_NONBLOCK } = constants;

function refuse(path: string, why: string, cause?: unknown): never {
  throw new ConfigError('SERIAL_FILE', `--serial file:${path}: ${why}`, { cause });
}

function openForWriting(path: string): number {
  let fd: number;
  try {
    // Non-blocking: opening a FIFO that nobody reads would stop the process.
    fd = openSync(path, O_WRONLY | O_CREAT | O_NONBLOCK, 0o666);
  } catch (error) {
    return refuse(path, messageOf(error), error);
  }
  const stats = fstatSync(fd);
  const claimant = claimantOf(fd);
  if (claimant === undefined && (stats.isFile() || stats.isCharacterDevice())) return fd;
  closeSync(fd);
  if (claimant !== undefined) return refuse(path, `it is ${claimant}`);
  return refuse(path, 'not a regular file or character device; unix:PATH gives a socket');
}

/** Removes what is still the same file. */
function remove(path: string, fd: number): void {
  const ours = fstatSync(fd);
  const now = statSync(path, { throwIfNoEntry: false });
  if (now?.dev === ours.dev && now.ino === ours.ino) unlinkSync(path);
}

/**
 * Writes what the guest says to a file, which is emptied when the machine begins; one that is closed
 * before leaves everything as it was. The guest gets no input.
 *
 * @throws ConfigError when the file cannot be written
 */
export function openSerialFile(path: string): SerialBackend {
  const isNew = !existsSync(path);
  const fd = openForWriting(path);
  const giveUp = claimFile('the file of the serial port', 'output', fd);
  let hasBegun = false;
  const stream = createWriteStream(path, { fd });
  const sink = new ByteSink(stream, `--serial file:${path}`);
  return {
    begin: () => {
      hasBegun = true;
      if (fstatSync(fd).isFile()) ftruncateSync(fd, 0);
    },
    write: (bytes) => sink.write(bytes),
    onData: () => undefined,
    onDrain: (callback) => sink.onDrain(callback),
    pauseInput: () => undefined,
    resumeInput: () => undefined,
    close: async () => {
      if (isNew && !hasBegun) remove(path, fd);
      giveUp();
      await sink.finish();
      await new Promise<void>((resolve) => {
        if (stream.closed) resolve();
        else stream.once('close', resolve).destroy();
      });
    },
  };
}
