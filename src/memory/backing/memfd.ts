import { addon } from '../../kvm/addon.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { formatSize, PAGE_SIZE } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { hugePageSizes } from './huge-pages.ts';
import { checkPages, mapFile } from './map-file.ts';
import type { MemfdSpec } from './spec.ts';

/** A file without a name. @throws ConfigError, HostError */
export function openMemfd(spec: MemfdSpec): Backing {
  const { id, size, hugePageSize, seal } = spec;
  const pageSize = hugePageSize === 0 ? PAGE_SIZE : hugePageSize;
  const known = hugePageSizes();
  if (hugePageSize !== 0 && !known.includes(hugePageSize)) {
    const sizes = known.length === 0 ? 'none' : known.map(formatSize).join(', ');
    const message = `--memory-backend id=${id}: hugetlbsize=${hugePageSize}: this host's huge pages are ${sizes}`;
    throw new ConfigError('BAD_BACKEND', message);
  }
  checkPages(id, 'size', size, pageSize);
  let fd: number;
  try {
    fd = addon.createMemfd({ name: `tsvmm-${id}`, size, hugePageSize, seal });
  } catch (cause) {
    const message = `memory backend ${id}: cannot make a memfd: ${messageOf(cause)}`;
    throw new HostError('MEMFD_FAILED', message, { cause });
  }
  const close = (): void => addon.closeMemfd(fd);
  return mapFile(spec, { fd, name: 'the memfd', offset: 0, end: size, pageSize, align: 0, close });
}
