import type { VirtioMemOptions } from '../../devices/virtio-mem/properties.ts';
import { ConfigError } from '../../errors.ts';
import { alignUp, formatSize, MIB, parseSize, PAGE_SIZE } from '../../units.ts';

/** What a machine is made of. Sizes in bytes. */
export interface MachineConfig {
  /** Path. */
  readonly kernel: string;
  /** Path. */
  readonly initrd: string | undefined;
  readonly commandLine: string;
  readonly memorySize: number;
  readonly cpus: number;
  readonly virtioMem: readonly VirtioMemOptions[];
  /** Whether there is a serial port at all. */
  readonly serial: boolean;
  /** Whether a reset by the guest ends the machine. */
  readonly noReboot: boolean;
}

/** More than anybody has tried is refused: the MADT's local APICs and our tests end there. */
export const MAX_CPUS = 254;
const MIN_MEMORY = 2 * MIB;

/** @throws ConfigError */
export function parseMemorySize(text: string): number {
  const size = parseSize(text, '--memory');
  if (size < MIN_MEMORY) {
    throw new ConfigError(
      'BAD_SIZE',
      `--memory=${text}: a guest needs at least ${formatSize(MIN_MEMORY)}`,
    );
  }
  if (size !== alignUp(size, PAGE_SIZE)) {
    throw new ConfigError(
      'BAD_SIZE',
      `--memory=${text}: not a multiple of the page size, ${PAGE_SIZE}`,
    );
  }
  return size;
}

/** @throws ConfigError */
export function parseCpuCount(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_CPUS) {
    throw new ConfigError(
      'BAD_CPUS',
      `--cpus=${text}: must be a whole number from 1 to ${MAX_CPUS}`,
    );
  }
  return count;
}
