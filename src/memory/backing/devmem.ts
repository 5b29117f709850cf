import { readFileSync } from 'node:fs';
import { ConfigError } from '../../errors.ts';
import { hex, PAGE_SIZE } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { mapDevice } from './map-device.ts';
import type { DevmemSpec } from './spec.ts';

const DEVICE = '/dev/mem';

/** What of `/proc/iomem` belongs to somebody and overlaps a range of host-physical addresses. */
export function ownerOf(base: number, size: number, iomem: string): string | undefined {
  for (const line of iomem.split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) : (.*)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const first = Number.parseInt(match[1], 16);
    const last = Number.parseInt(match[2], 16);
    // Without privileges every address reads 0.
    if (last > 0 && first < base + size && base <= last && match[3] !== 'Reserved') return match[3];
  }
  return undefined;
}

function checkRange(spec: DevmemSpec): void {
  const { id, base, size } = spec;
  let iomem = '';
  try {
    iomem = readFileSync('/proc/iomem', 'utf8');
  } catch {
    // The kernel has the last word when it is mapped.
  }
  const owner = ownerOf(base, size, iomem);
  if (owner === undefined) return;
  const message = `--memory-backend id=${id}: base=${hex(base)}: up to ${hex(base + size)} the host uses it as ${owner}; keep it from the kernel with mem= or memmap=`;
  throw new ConfigError('BAD_BACKEND', message);
}

/** Memory that the host's kernel does not know: no page structures, always there, never freed. */
export function openDevmem(spec: DevmemSpec): Backing {
  checkRange(spec);
  const { id, size, base: offset, preallocThreads: threads } = spec;
  return mapDevice({ id, path: DEVICE, size, offset, pageSize: PAGE_SIZE, align: 0, threads });
}
