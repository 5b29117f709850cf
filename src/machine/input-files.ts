import { claimantOf, claimFile } from '../claimed-files.ts';
import { ConfigError } from '../errors.ts';
import type { MachineConfig } from './config/machine-config.ts';

/**
 * Claims what the guest is loaded from, now and at each reset.
 *
 * @returns gives it up; idempotent
 * @throws ConfigError when this process writes to it; nothing is claimed then
 */
export function claimInputs({ kernel, initrd }: MachineConfig): () => void {
  const inputs = [
    { option: '--kernel', what: 'the kernel', path: kernel },
    ...(initrd === undefined ? [] : [{ option: '--initrd', what: 'the initrd', path: initrd }]),
  ];
  for (const { option, path } of inputs) {
    const claimant = claimantOf(path, 'input');
    if (claimant !== undefined) {
      throw new ConfigError('FILE_IN_USE', `${option} ${path}: it is ${claimant}`);
    }
  }
  const claims = inputs.map(({ what, path }) => claimFile(what, 'input', path));
  return () => {
    for (const giveUp of claims) giveUp();
  };
}
