import { ConfigError } from '../errors.ts';
import {
  checkBackendUsers,
  memoryOf,
  parseCpuCount,
  parseMemory,
  type MachineConfig,
} from '../machine/config/machine-config.ts';
import type { NumaContext } from '../machine/config/numa-option.ts';
import { parseViolationAction } from '../machine/config/violation-option.ts';
import { parseVirtioMemOptions } from '../machine/config/virtio-mem-option.ts';
import { optionText } from './option-text.ts';

/** Bytes, or text as on the command line: `'4G'`. */
export type Size = number | string;

/** A memory device: the keys of `--virtio-mem`, in camel case. */
export interface VirtioMemSpec {
  /** Default: `vm0`, `vm1`, … by position. */
  readonly id?: string | undefined;
  /** What the guest can grow by. May be left out with `memdev`. */
  readonly size?: Size | undefined;
  /** Id of one of `memoryBackends`. */
  readonly memdev?: string | undefined;
  readonly requestedSize?: Size | undefined;
  readonly blockSize?: Size | undefined;
  readonly node?: number | undefined;
  readonly memaddr?: Size | undefined;
  readonly prealloc?: boolean | undefined;
  readonly unpluggedInaccessible?: 'on' | 'off' | 'auto' | undefined;
  readonly dynamicMemslots?: boolean | undefined;
  readonly memslotSize?: Size | undefined;
  readonly protectUnplugged?: 'on' | 'off' | 'auto' | undefined;
}

/** Host memory: the type and keys of `--memory-backend`, in camel case. */
export interface MemoryBackendSpec {
  readonly type: 'ram' | 'memfd' | 'file' | 'devmem';
  readonly id: string;
  readonly size?: Size | undefined;
  readonly memPath?: string | undefined;
  readonly offset?: Size | undefined;
  readonly align?: Size | undefined;
  readonly readonly?: boolean | undefined;
  readonly base?: Size | undefined;
  readonly hugetlb?: boolean | undefined;
  readonly hugetlbsize?: Size | undefined;
  readonly seal?: boolean | undefined;
  readonly share?: boolean | undefined;
  readonly prealloc?: boolean | undefined;
  readonly preallocThreads?: number | undefined;
  readonly reserve?: boolean | undefined;
  readonly thp?: boolean | undefined;
  readonly merge?: boolean | undefined;
  readonly dump?: boolean | undefined;
  readonly policy?: 'default' | 'bind' | 'preferred' | 'interleave' | undefined;
  readonly hostNodes?: readonly number[] | undefined;
}

/** What a machine is made of: the options of `tsvmm run`, with its defaults and its checks. */
export interface VmOptions {
  /** Path of a bzImage, or of an ELF file with a PVH entry. */
  readonly kernel: string;
  /** Path. */
  readonly initrd?: string | undefined;
  /** Kernel command line. */
  readonly append?: string | undefined;
  /** Boot memory. Default: 1G, or what the NUMA nodes have. */
  readonly memory?:
    | Size
    | { readonly memdev: string; readonly size?: Size | undefined }
    | undefined;
  /** Default: 1. */
  readonly cpus?: number | string | undefined;
  /** NUMA nodes and distances, each as text as on the command line. */
  readonly numa?: readonly string[] | undefined;
  /** Each as keys, or as text as on the command line. */
  readonly virtioMem?: readonly (VirtioMemSpec | string)[] | undefined;
  /** Each as keys, or as text as on the command line. */
  readonly memoryBackends?: readonly (MemoryBackendSpec | string)[] | undefined;
  /** Whether there is a serial port. Default: true. */
  readonly serial?: boolean | undefined;
  /** Whether the guest may reboot; otherwise that ends the machine. Default: true. */
  readonly reboot?: boolean | undefined;
  /** What follows when the guest touches protected memory. Default: stop. */
  readonly onViolation?: 'stop' | 'reset' | 'kill' | undefined;
}

/** Every name there is: the compiler refuses one that is missing here. */
const NAMES: Readonly<Record<keyof VmOptions, true>> = {
  kernel: true,
  initrd: true,
  append: true,
  memory: true,
  cpus: true,
  numa: true,
  virtioMem: true,
  memoryBackends: true,
  serial: true,
  reboot: true,
  onViolation: true,
};

/** A misspelt option would otherwise be as good as none. */
function checkNames(options: VmOptions): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(NAMES, name)) continue;
    const known = Object.keys(NAMES).join(', ');
    throw new ConfigError('BAD_OPTION', `unknown option ${name}; the options are ${known}`);
  }
  // Callers in JavaScript have no compiler to tell them.
  if (typeof options.kernel === 'string' && options.kernel !== '') return;
  throw new ConfigError('BAD_OPTION', 'the option kernel is missing: the path of what to boot');
}

function memoryText(memory: Exclude<VmOptions['memory'], undefined>): string {
  return typeof memory === 'object' ? optionText('--memory', { ...memory }) : String(memory);
}

function virtioMemText(spec: VirtioMemSpec | string): string {
  return typeof spec === 'string' ? spec : optionText('--virtio-mem', { ...spec });
}

function backendText(spec: MemoryBackendSpec | string): string {
  if (typeof spec === 'string') return spec;
  const { type, ...keys } = spec;
  return `${type},${optionText(`--memory-backend ${type}`, keys)}`;
}

async function parseBackends(
  specs: readonly (MemoryBackendSpec | string)[],
): Promise<MachineConfig['memoryBackends']> {
  if (specs.length === 0) return [];
  const { parseMemoryBackends } = await import('../machine/config/memory-backend-option.ts');
  return parseMemoryBackends(specs.map(backendText));
}

async function parseNuma(
  texts: readonly string[],
  context: NumaContext,
): Promise<MachineConfig['numa']> {
  if (texts.length === 0) return undefined;
  const { parseNumaOptions } = await import('../machine/config/numa-option.ts');
  return parseNumaOptions(texts, context);
}

/** Checks options and fills in defaults. @throws (rejects with) ConfigError naming what is wrong */
export async function machineConfig(options: VmOptions): Promise<MachineConfig> {
  checkNames(options);
  const backends = await parseBackends(options.memoryBackends ?? []);
  const memory =
    options.memory === undefined ? undefined : parseMemory(memoryText(options.memory), backends);
  const cpus = parseCpuCount(String(options.cpus ?? 1));
  const numa = await parseNuma(options.numa ?? [], { cpus, memory, backends });
  const config: MachineConfig = {
    kernel: options.kernel,
    initrd: options.initrd,
    commandLine: options.append ?? '',
    ...(memory ?? memoryOf(numa)),
    memoryBackends: backends,
    cpus,
    numa,
    virtioMem: parseVirtioMemOptions((options.virtioMem ?? []).map(virtioMemText), backends),
    serial: options.serial ?? true,
    noReboot: !(options.reboot ?? true),
    onViolation: parseViolationAction(options.onViolation ?? 'stop'),
  };
  checkBackendUsers(config);
  return config;
}
