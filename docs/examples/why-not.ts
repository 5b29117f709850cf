import { createVm, ResizeError, type VmOptions } from 'tsvmm';

/*
 * What to do with a guest that does not follow: the error says why, and whether to ask again.
 */

/** @returns what became of it, in a sentence */
export async function tryToGrow(guest: VmOptions, size: string): Promise<string> {
  await using vm = await createVm({ ...guest, memory: '128M', virtioMem: ['size=1G'] });
  vm.serial.resume();
  await vm.start();
  try {
    await vm.memoryDevice('vm0').resize(size, { timeoutMs: 1_000 });
    return 'the guest has it';
  } catch (error) {
    if (!(error instanceof ResizeError)) throw error;
    switch (error.code) {
      case 'REFUSED':
        return `ask for something else: ${error.message}`;
      case 'TIMEOUT':
      case 'STALLED':
        // What was asked stays asked: the guest may still come round.
        return `wait, or ask for less: ${error.state?.cause ?? ''}`;
      case 'SUPERSEDED':
      case 'ENDED':
        return 'somebody else has decided';
    }
  }
}
