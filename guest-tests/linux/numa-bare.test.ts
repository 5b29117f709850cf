import { expect, it } from 'vitest';
import { MIB } from '../harness/sizes.ts';
import { useLinux } from './use-linux.ts';

/** The first node has nothing, the second memory alone, the last a device that may bring some. */
const linux = useLinux({
  memory: '1G',
  cpus: 2,
  args: ['node', 'node,memory=512M', 'node,cpus=0-1,memory=512M', 'node'].flatMap((keys) => [
    '--numa',
    keys,
  ]),
  virtioMem: ['size=1G,node=3'],
});

it('nodes with nothing, or memory alone, have the numbers that they have here', async () => {
  const guest = linux();
  const node = (file: string): Promise<string> => guest.run(`cat /sys/devices/system/node/${file}`);
  expect(await node('possible')).toBe('0-3\n');
  expect(await node('has_cpu')).toBe('2\n');
  expect(await node('node2/cpulist')).toBe('0-1\n');
  for (const id of [1, 2]) {
    const total = Number(/MemTotal: +(\d+) kB/.exec(await node(`node${id}/meminfo`))?.[1]) * 1024;
    expect(total).toBeGreaterThan(256 * MIB);
    expect(total).toBeLessThanOrEqual(512 * MIB);
  }
  expect(await guest.run('sort -u /sys/bus/pci/devices/*/numa_node')).toBe('0\n');
});
