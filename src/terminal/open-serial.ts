import type { SerialBackend } from './serial-backend.ts';
import type { SerialTarget } from './target.ts';

/** Nobody at the other end: output vanishes and nothing comes in. */
const nowhere: SerialBackend = {
  write: () => true,
  onData: () => undefined,
  onDrain: () => undefined,
  pauseInput: () => undefined,
  resumeInput: () => undefined,
  close: () => Promise.resolve(),
};

/**
 * Opens a serial port's target, except `stdio`, which `openStdio` gives.
 *
 * @throws ConfigError when the file or socket cannot be used, naming it
 */
export async function openSerialBackend(
  target: Exclude<SerialTarget, { kind: 'stdio' }>,
): Promise<SerialBackend> {
  switch (target.kind) {
    case 'none':
      return nowhere;
    case 'file': {
      const { openSerialFile } = await import('./serial-file.ts');
      return openSerialFile(target.path);
    }
    case 'unix': {
      const { openSerialSocket } = await import('./serial-socket.ts');
      return openSerialSocket(target.path, target);
    }
  }
}
