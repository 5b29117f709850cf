import type { VmOptions } from '../api/options.ts';
import { parsePauseClock } from '../machine/config/machine-config.ts';

/** The options of `run` that say what the machine is, as commander gives them. */
export interface MachineOptions {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append: string;
  readonly memory?: string;
  readonly memoryBackend: readonly string[];
  readonly cpus: string;
  readonly numa: readonly string[];
  readonly virtioMem: readonly string[];
  /** Default: true. */
  readonly reboot?: boolean;
  readonly onViolation: string;
  readonly pauseClock: string;
  readonly cpuAffinity: string;
}

/** @throws ConfigError */
export function vmOptions(options: MachineOptions & { readonly kernel: string }): VmOptions {
  const { kernel, initrd, append, memory, cpus, numa, virtioMem, reboot } = options;
  return {
    ...{ kernel, initrd, append, memory, cpus, numa, virtioMem, reboot },
    memoryBackends: options.memoryBackend,
    onViolation: options.onViolation,
    cpuAffinity: options.cpuAffinity,
    pauseClock: parsePauseClock(options.pauseClock),
  };
}
