import { afterEach, describe, expect, it } from 'vitest';
import { GIB, MIB } from '../units.ts';
import type { MachineConfig, NumaConfig } from './config/machine-config.ts';
import { parseMemoryBackends } from './config/memory-backend-option.ts';
import { parseNumaOptions } from './config/numa-option.ts';
import { MemoryBackends } from './memory-backends.ts';
import { acpiNuma, packageSize, takeBootMemory } from './numa.ts';

const memoryBackends = parseMemoryBackends(['ram,id=m0,size=4M', 'ram,id=m1,size=8M']);

function numaOf(texts: readonly string[], cpus = 4, memorySize = 4 * GIB): NumaConfig {
  const memory = { memorySize, memdev: undefined };
  return parseNumaOptions(texts, { cpus, memory, backends: memoryBackends });
}

describe('what ACPI says of the nodes', () => {
  it('is nothing without nodes', () => {
    expect(acpiNuma(undefined, [])).toBeUndefined();
  });

  it('has boot memory by node, cut at the hole, then the regions of memory devices', () => {
    const numa = numaOf(['node,cpus=1-3,memory=1G', 'node,memory=3G,cpus=0', 'node']);
    const devices = [{ memaddr: 5 * GIB, size: 8 * GIB, node: 2 }];
    expect(acpiNuma(numa, devices)).toEqual({
      cpuNodes: [1, 0, 0, 0],
      memory: [
        { node: 0, base: 0, size: GIB, hotPluggable: false },
        { node: 1, base: GIB, size: 2 * GIB, hotPluggable: false },
        { node: 1, base: 4 * GIB, size: GIB, hotPluggable: false },
        { node: 2, base: 5 * GIB, size: 8 * GIB, hotPluggable: true },
      ],
      distances: numa.distances,
    });
  });
});

describe('a package', () => {
  it.each<[readonly string[], number, number]>([
    [['node'], 6, 6],
    [['node,cpus=0-1', 'node,cpus=2-3'], 4, 2],
    [['node,cpus=0-2', 'node,cpus=3-5'], 6, 1],
    [['node,cpus=0-3', 'node,cpus=4-5'], 6, 4],
    [['node,cpus=0,cpus=2', 'node,cpus=1,cpus=3'], 4, 1],
    [['node', 'node'], 32, 16],
  ])('is within a node: %j of %i CPUs, packages of %i', (texts, cpus, size) => {
    expect(packageSize({ numa: numaOf(texts, cpus), cpus })).toBe(size);
  });

  it('has all CPUs without nodes', () => {
    expect(packageSize({ numa: undefined, cpus: 7 })).toBe(7);
  });
});

describe('boot memory', () => {
  let opened: MemoryBackends | undefined;
  afterEach(() => opened?.close());

  async function take(change: Partial<MachineConfig>): Promise<readonly (readonly unknown[])[]> {
    const config = { virtioMem: [], memoryBackends, memorySize: 12 * MIB, ...change };
    opened = await MemoryBackends.open(config as unknown as MachineConfig);
    const taken = takeBootMemory(config as unknown as MachineConfig, opened);
    return taken.map(({ size, backing }) => {
      const backend = opened?.all.find((it) => it.backing === backing);
      return [size, backend?.id, backend?.user];
    });
  }

  it('is one piece without nodes, and when no node has a backend', async () => {
    const one = [[12 * MIB, 'ram0', 'boot memory']];
    expect(await take({})).toEqual(one);
    opened?.close();
    expect(await take({ numa: numaOf(['node', 'node']) })).toEqual(one);
    opened?.close();
    const memdev = { memdev: 'm1', memorySize: 8 * MIB, numa: numaOf(['node'], 4, 8 * MIB) };
    expect(await take(memdev)).toEqual([[8 * MIB, 'm1', 'boot memory']]);
  });

  it('is a piece for each node that has memory when one of them has a backend', async () => {
    const numa = numaOf(['node,memdev=m1', 'node', 'node,memory=4M'], 4, 12 * MIB);
    expect(await take({ numa })).toEqual([
      [8 * MIB, 'm1', 'boot memory of node 0'],
      [4 * MIB, 'ram0', 'boot memory of node 2'],
    ]);
  });
});
