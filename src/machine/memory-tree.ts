import { GPA_LIMIT } from '../units.ts';
import type { AddressSpaceInfo, MappedMemory, RegionInfo } from './control.ts';
import { KERNEL_MMIO, KERNEL_PORTS } from './kernel-chips.ts';
import type { Machine } from './machine.ts';

/** Boot memory, and the regions of memory devices with their memslots. */
function memoryRegions({ shell }: Machine): readonly RegionInfo[] {
  const { memory, table, backends } = shell;
  const slots = table.list();
  return memory.regions.map((region): RegionInfo => {
    const { name, gpa: start, size, mapping, discards } = region;
    const backend = backends.all.find(({ backing }) => backing.mapping === mapping);
    const memoryAt = (gpa: number): MappedMemory => {
      const offset = region.offset + (gpa - start);
      // Boot memory has a name only if somebody gave it one.
      if (backend === undefined || (discards === undefined && backend.isMade)) return { offset };
      return { backend: backend.id, offset };
    };
    if (discards === undefined) {
      return { start, size, kind: 'ram', name, memory: memoryAt(start) };
    }
    const children = slots
      .filter((slot) => slot.owner === name && !slot.isBootMemory)
      .map(({ id, gpa, size: bytes }): RegionInfo => {
        return {
          start: gpa,
          size: bytes,
          kind: 'ram',
          name: `memslot ${id}`,
          memory: memoryAt(gpa),
        };
      });
    return { start, size, kind: 'container', name, children };
  });
}

/** What lies where, for `info mtree`: RAM, device memory with its memslots, MMIO, ports. */
export function addressSpaces(machine: Machine): readonly AddressSpaceInfo[] {
  const regions = memoryRegions(machine);
  const io = (ranges: ReturnType<typeof machine.spaces.ports.ranges>): RegionInfo[] =>
    ranges.map(({ base: start, size, name }) => ({ start, size, kind: 'i/o', name }));
  // Where device memory lies, MMIO is what is left of it: not shown twice.
  const mmio = machine.spaces.mmio
    .ranges()
    .filter(({ base }) => regions.every(({ start }) => start !== base));
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
