import type { AcpiNuma } from '../acpi/config.ts';
import type { Backing } from '../memory/backing.ts';
import { layRam } from '../memory/layout.ts';
import { alignDown } from '../units.ts';
import type { MachineConfig, NumaConfig } from './config/machine-config.ts';
import type { MemoryBackends } from './memory-backends.ts';

const BOOT_MEMORY = 'boot memory';

/** Nodes of the machine: 0 without NUMA. */
export const nodeCount = (numa: NumaConfig | undefined): number => numa?.nodes.length ?? 0;

/** A memory device as ACPI sees it. */
interface DeviceRegion {
  readonly memaddr: number;
  readonly size: number;
  readonly node: number;
}

/** What the tables say of the nodes. A memory device's region is wholly in its node. */
export function acpiNuma(
  numa: NumaConfig | undefined,
  devices: readonly DeviceRegion[],
): AcpiNuma | undefined {
  if (numa === undefined) return undefined;
  const { nodes, distances } = numa;
  const cpuNodes: number[] = [];
  for (const [node, { cpus }] of nodes.entries()) for (const cpu of cpus) cpuNodes[cpu] = node;
  const ram = layRam(nodes.map(({ memorySize }) => memorySize));
  const memory = [
    ...ram.map(({ part, gpa, size }) => ({ node: part, base: gpa, size, hotPluggable: false })),
    ...devices.map(({ node, memaddr, size }) => {
      return { node, base: memaddr, size, hotPluggable: true };
    }),
  ];
  return { cpuNodes, memory, distances };
}

/** Host memory of a part of boot memory. */
export interface BootMemory {
  /** Bytes of boot memory, from the start of the backing on. */
  readonly size: number;
  readonly backing: Backing;
}

/**
 * Takes or makes the host memory of the guest's boot memory, in the order of its addresses: one for
 * all, or one for each node that has memory when any node names its own.
 */
export function takeBootMemory(
  config: MachineConfig,
  backends: MemoryBackends,
): readonly BootMemory[] {
  const take = (memdev: string | undefined, size: number, user: string): BootMemory => {
    const made =
      memdev === undefined ? backends.make('ram', size, user) : backends.take(memdev, user);
    return { size, backing: made.backing };
  };
  const nodes = config.numa?.nodes ?? [];
  if (nodes.every(({ memdev }) => memdev === undefined)) {
    return [take(config.memdev, config.memorySize, BOOT_MEMORY)];
  }
  return nodes.flatMap(({ memdev, memorySize }, node) =>
    memorySize === 0 ? [] : [take(memdev, memorySize, `${BOOT_MEMORY} of node ${node}`)],
  );
}

/**
 * How many CPUs make a package: a power of two, since guests read the package from the upper bits
 * of APIC ids; and never CPUs of two nodes, since no processor is made so and kernels say so.
 *
 * @returns all of them without nodes
 */
export function packageSize({ numa, cpus }: Pick<MachineConfig, 'numa' | 'cpus'>): number {
  if (numa === undefined) return cpus;
  const { cpuNodes } = acpiNuma(numa, []) ?? { cpuNodes: [] };
  const nodeOf = (cpu: number): number | undefined => cpuNodes[cpu];
  const fits = (count: number): boolean =>
    cpuNodes.every((node, cpu) => node === nodeOf(alignDown(cpu, count)));
  let count = 1;
  while (count < cpus && fits(2 * count)) count *= 2;
  return Math.min(count, cpus);
}
