import { addon, type NativeMapping } from '../../kvm/addon.ts';
import { HostError, messageOf } from '../../errors.ts';
import { formatSize, PAGE_SIZE } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { memoryRoom } from '../cgroup.ts';
import { thpSize } from '../thp-size.ts';
import { adviseMemory } from './advice.ts';
import { AdviceDiscarder } from './discarder.ts';
import { MappedBacking } from './mapped-backing.ts';
import { plainSpec, reservesOnMap, type RamSpec } from './spec.ts';

/**
 * Anonymous memory: nothing is allocated before it is touched.
 *
 * @param access  `none` where somebody will make parts accessible; those alone count as committed
 * @throws HostError
 */
export function openAnonymous(
  spec: RamSpec,
  access: 'none' | 'read-write' = 'read-write',
): Backing {
  const { id, share, preallocThreads } = spec;
  const mapping = map(spec, access);
  try {
    adviseMemory(mapping, spec);
  } catch (error) {
    mapping.close();
    throw error;
  }
  return new MappedBacking({
    id,
    mapping,
    discarder: new AdviceDiscarder(mapping, share),
    pageSize: PAGE_SIZE,
    sharedZeropage: !share,
    populateCanFail: true,
    threads: preallocThreads,
    isCharged: true,
    room: memoryRoom,
    trouble: () => undefined,
    release: () => undefined,
  });
}

function map(spec: RamSpec, access: 'none' | 'read-write'): NativeMapping {
  const { id, size, share } = spec;
  const reserve = reservesOnMap(spec);
  try {
    return addon.mapMemory({
      size,
      // Huge pages of the host and of the guest's tables line up only if the mapping does.
      alignment: thpSize(),
      shared: share,
      noReserve: !reserve,
      access,
    });
  } catch (cause) {
    const what = reserve ? 'memory' : 'address space';
    const message = `memory backend ${id}: cannot reserve ${formatSize(size)} of ${what}: ${messageOf(cause)}`;
    throw new HostError('MAP_FAILED', message, { cause });
  }
}

/** Private anonymous memory of `size` bytes, none of it reserved. @throws HostError */
export function plainMemory(id: string, size: number): Backing {
  return openAnonymous(plainSpec(id, size));
}
