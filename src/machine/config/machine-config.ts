import type { VirtioMemOptions } from '../../devices/virtio-mem/properties.ts';
import { ConfigError } from '../../errors.ts';
import type { BackingSpec } from '../../memory/backing/spec.ts';
import type { ViolationPolicy } from '../violations/violation.ts';
import { alignUp, formatSize, GIB, MIB, parseSize, PAGE_SIZE } from '../../units.ts';
import type { CpuAffinity } from './cpu-affinity-option.ts';
import { KeyValues } from './key-values.ts';
import { takeBackend } from './memdev.ts';

/** A part of the machine whose CPUs and memory are near to each other. */
export interface NumaNode {
  /** In order. */
  readonly cpus: readonly number[];
  /** Boot memory, in bytes. */
  readonly memorySize: number;
  /** Id of the backend of this memory; absent: that of all boot memory. */
  readonly memdev: string | undefined;
}

export interface NumaConfig {
  readonly nodes: readonly NumaNode[];
  /** `distances[from][to]`, 10 to 255. */
  readonly distances: readonly (readonly number[])[];
}

/** What the guest's clocks do while the machine is paused. */
export const PAUSE_CLOCKS = ['stop', 'run'] as const;
export type PauseClock = (typeof PAUSE_CLOCKS)[number];

/** @throws ConfigError */
export function parsePauseClock(text: string): PauseClock {
  const found = PAUSE_CLOCKS.find((each) => each === text);
  if (found !== undefined) return found;
  const choices = PAUSE_CLOCKS.join(' or ');
  throw new ConfigError('BAD_OPTION', `--pause-clock=${text}: must be ${choices}`);
}

/** What a machine is made of. Sizes in bytes. */
export interface MachineConfig {
  /** Path. */
  readonly kernel: string;
  /** Path. */
  readonly initrd: string | undefined;
  readonly commandLine: string;
  readonly memorySize: number;
  /** Id of the backend that boot memory is on; absent: plain memory of its own. */
  readonly memdev: string | undefined;
  readonly memoryBackends: readonly BackingSpec[];
  readonly cpus: number;
  /** Absent: the machine has no NUMA nodes. */
  readonly numa?: NumaConfig | undefined;
  readonly virtioMem: readonly VirtioMemOptions[];
  /** Whether there is a serial port at all. */
  readonly serial: boolean;
  /** Whether a reset by the guest ends the machine. */
  readonly noReboot: boolean;
  /** What follows when the guest uses memory that is not plugged, and protected. */
  readonly onViolation: ViolationPolicy;
  readonly pauseClock: PauseClock;
  readonly cpuAffinity: CpuAffinity;
}

/** More than anybody has tried is refused: the MADT's local APICs and our tests end there. */
export const MAX_CPUS = 254;
/** What a guest needs at least, and what it gets when nobody says, in bytes. */
export const MIN_MEMORY = 2 * MIB;
export const DEFAULT_MEMORY = GIB;

/** @throws ConfigError */
export function parseMemorySize(text: string): number {
  return checkMemorySize(parseSize(text, '--memory'), text);
}

function checkMemorySize(size: number, text: string): number {
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

/**
 * Parses `--memory`: a size, or `memdev=ID`.
 *
 * @throws ConfigError
 */
export function parseMemory(
  text: string,
  backends: readonly BackingSpec[],
): Pick<MachineConfig, 'memorySize' | 'memdev'> {
  if (!text.includes('=')) return { memorySize: parseMemorySize(text), memdev: undefined };
  const keys = new KeyValues('--memory', text);
  const backend = takeBackend(keys, backends);
  const size = keys.size('size') ?? backend?.size;
  keys.done();
  if (size === undefined) throw new ConfigError('BAD_OPTION', `--memory ${text}: size is missing`);
  if (backend !== undefined) checkBootBackend(keys, backend);
  return { memorySize: checkMemorySize(size, text), memdev: backend?.id };
}

/** @throws ConfigError when boot memory cannot be on the backend that `memdev` names */
export function checkBootBackend(keys: KeyValues, backend: BackingSpec): void {
  if (backend.type === 'file' && backend.readonly && backend.share) {
    keys.refuse(
      'memdev',
      'the backend has readonly=on and share=on; boot memory must be written to',
    );
  }
}

/** Boot memory where `--memory` says nothing: as much as the nodes have. */
export function memoryOf(
  numa: NumaConfig | undefined,
): Pick<MachineConfig, 'memorySize' | 'memdev'> {
  const sizes = numa?.nodes.map(({ memorySize }) => memorySize) ?? [DEFAULT_MEMORY];
  return { memorySize: sizes.reduce((all, it) => all + it, 0), memdev: undefined };
}

/** @throws ConfigError when boot memory, nodes and devices share a backend */
export function checkBackendUsers(config: MachineConfig): void {
  const users = new Map<string, string>();
  const use = (memdev: string | undefined, user: string): void => {
    if (memdev === undefined) return;
    const other = users.get(memdev);
    if (other !== undefined) {
      const message = `${user}: memdev=${memdev}: already used by ${other}`;
      throw new ConfigError('BAD_OPTION', message);
    }
    users.set(memdev, user);
  };
  use(config.memdev, '--memory');
  for (const [node, { memdev }] of (config.numa?.nodes ?? []).entries()) {
    use(memdev, `--numa node ${node}`);
  }
  for (const { id, memdev } of config.virtioMem) use(memdev, `--virtio-mem id=${id}`);
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
