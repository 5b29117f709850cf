import { fstatSync, watch } from 'node:fs';

/**
 * Calls back when an open file gets shorter, by whomever. Writes through mappings, the usual thing to
 * happen to it, cause no events.
 */
export function watchFile(fd: number, callback: () => void): { close(): void } {
  let size = fstatSync(fd).size;
  const watcher = watch(`/proc/self/fd/${fd}`, { persistent: false }, () => {
    const now = fstatSync(fd).size;
    const shorter = now < size;
    size = now;
    if (shorter) callback();
  });
  // Without events the loss is noticed when the memory is touched.
  watcher.on('error', () => watcher.close());
  return watcher;
}
