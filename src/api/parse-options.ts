import {
  checkBackendUsers,
  memoryOf,
  parseCpuCount,
  parseMemory,
  parsePauseClock,
  type MachineConfig,
} from '../machine/config/machine-config.ts';
import { parseCpuAffinity } from '../machine/config/cpu-affinity-option.ts';
import type { NumaContext } from '../machine/config/numa-option.ts';
import { DEFAULT_POLICY, parseViolationPolicy } from '../machine/config/violation-option.ts';
import { parseVirtioMemOptions } from '../machine/config/virtio-mem-option.ts';
import { checkOptions } from './check-options.ts';
import { optionText } from './option-text.ts';
import type {
  MemoryBackendSpec,
  NumaDistanceSpec,
  NumaNodeSpec,
  VirtioMemSpec,
  VmOptions,
} from './options.ts';

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

function numaText(spec: NumaNodeSpec | NumaDistanceSpec | string): string {
  if (typeof spec === 'string') return spec;
  const { type, ...keys } = spec;
  const text = optionText(`--numa ${type}`, keys);
  return text === '' ? type : `${type},${text}`;
}

function violationPolicy(given: VmOptions['onViolation']): MachineConfig['onViolation'] {
  if (given === undefined) return DEFAULT_POLICY;
  if (typeof given === 'string') return parseViolationPolicy(given);
  const text = optionText('--on-violation', { ...given });
  return text === '' ? DEFAULT_POLICY : parseViolationPolicy(text);
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
  checkOptions(options);
  const backends = await parseBackends(options.memoryBackends ?? []);
  const memory =
    options.memory === undefined ? undefined : parseMemory(memoryText(options.memory), backends);
  const cpus = parseCpuCount(String(options.cpus ?? 1));
  const numa = await parseNuma((options.numa ?? []).map(numaText), { cpus, memory, backends });
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
    onViolation: violationPolicy(options.onViolation),
    cpuAffinity: parseCpuAffinity(options.cpuAffinity ?? 'off', cpus),
    pauseClock: parsePauseClock(options.pauseClock ?? 'stop'),
  };
  checkBackendUsers(config);
  return config;
}
