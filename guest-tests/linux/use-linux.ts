import { afterAll, afterEach, beforeAll } from 'vitest';
import { LinuxGuest, type LinuxOptions } from './linux-guest.ts';

/** Characters of a transcript that a failed test shows. */
const SHOWN = 6000;

/**
 * One machine for all tests of a file or `describe`, which run in their order: a boot is dear.
 *
 * @returns gives the guest, once tests run
 */
export function useLinux(options: LinuxOptions): () => LinuxGuest {
  let guest: LinuxGuest | undefined;
  beforeAll(async () => {
    guest = await LinuxGuest.boot(options);
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(guest?.vm.describe().slice(-SHOWN));
  });
  afterAll(async () => {
    await guest?.vm.close();
  });
  return () => {
    if (guest === undefined) throw new Error('the guest has not booted');
    return guest;
  };
}
