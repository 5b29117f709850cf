import { GPA_LIMIT } from '../units.ts';
import type { AddressSpaceInfo, RegionInfo } from './control.ts';
import { KERNEL_MMIO, KERNEL_PORTS } from './kernel-chips.ts';
import type { Machine } from './machine.ts';

/** What lies where, for `info mtree`: RAM, device memory with its memslots, MMIO, ports. */
export function addressSpaces(machine: Machine): readonly AddressSpaceInfo[] {
  const { memory, table } = machine.shell;
  const slots = table.list();
  const regions = memory.regions.map((region): RegionInfo => {
    const { name, gpa: start, size } = region;
    if (region.discards === undefined) return { start, size, kind: 'ram', name };
    const children = slots
      .filter((slot) => slot.owner === name && !slot.isBootMemory)
      .map((slot): RegionInfo => {
        return { start: slot.gpa, size: slot.size, kind: 'ram', name: `memslot ${slot.id}` };
      });
    return { start, size, kind: 'container', name, children };
  });
  const io = (ranges: ReturnType<typeof machine.spaces.ports.ranges>): RegionInfo[] =>
    ranges.map(({ base: start, size, name }) => ({ start, size, kind: 'i/o', name }));
  // Where device memory lies, MMIO is what is left of it: not shown twice.
  const mmio = machine.spaces.mmio
    .ranges()
    .filter(({ base }) => memory.regions.every(({ gpa }) => gpa !== base));
  const byAddress = (all: readonly RegionInfo[]): readonly RegionInfo[] =>
    all.toSorted((a, b) => a.start - b.start);
  const inMemory = byAddress([...regions, ...io(mmio), ...KERNEL_MMIO]);
  const ports = byAddress([...io(machine.spaces.ports.ranges()), ...KERNEL_PORTS]);
  const root = { start: 0, kind: 'container' } as const;
  return [
    {
      name: 'memory',
      root: { ...root, size: GPA_LIMIT, name: 'system', children: inMemory },
    },
    {
      name: 'I/O',
      root: { ...root, size: 0x1_0000, name: 'io', children: ports },
    },
  ];
}
