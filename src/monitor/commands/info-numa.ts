import type { NumaNodeInfo } from '../../machine/control.ts';
import { MIB } from '../../units.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

function describeNode({ cpus, bootMemorySize, pluggedSize }: NumaNodeInfo, node: number): string[] {
  const megabytes = (bytes: number): string => `${Math.floor(bytes / MIB)} MB`;
  return [
    `node ${node} cpus:${cpus.map((cpu) => ` ${cpu}`).join('')}`,
    `node ${node} size: ${megabytes(bootMemorySize + pluggedSize)}`,
    `node ${node} plugged: ${megabytes(pluggedSize)}`,
  ];
}

export const infoNuma: MonitorCommand = {
  name: 'info numa',
  summary: 'show the NUMA nodes: CPUs, memory, and how much of it is plugged',
  run: (_args, { control }) => {
    const nodes = control.numaNodes();
    return lines([`${nodes.length} nodes`, ...nodes.flatMap(describeNode)]);
  },
};
