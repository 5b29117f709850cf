import type { DiscardManager } from '../../memory/discard-manager.ts';
import type { MemslotContainer } from '../../memory/memslot-container.ts';
import type { MemoryDevice } from '../memory-devices.ts';
import type { MemoryMapCell, MemoryMapInfo } from './inspection.ts';

/** @returns bytes: the smallest power of two of blocks of which `cells` cover the region */
export function cellSizeFor(size: number, blockSize: number, cells: number): number {
  let cell = blockSize;
  while (Math.ceil(size / cell) > cells) cell *= 2;
  return cell;
}

function pluggedIn(memory: DiscardManager, offset: number, length: number): number {
  let plugged = 0;
  memory.replayPopulated(offset, length, (_offset, run) => {
    plugged += run;
  });
  return plugged;
}

function mappedIn(
  container: MemslotContainer,
  offset: number,
  length: number,
): MemoryMapCell['mapped'] {
  const first = container.firstWindow(offset);
  const last = container.lastWindow(offset, length);
  let active = 0;
  for (let window = first; window <= last; window++) if (container.isActive(window)) active++;
  if (active === 0) return 'none';
  return active > last - first ? 'all' : 'some';
}

/**
 * Looks at a device in pieces. What is resident is asked of the kernel on another thread, piece by
 * piece and only where something is plugged; the guest runs on, so pieces are of different moments.
 */
export async function memoryMap(memory: MemoryDevice, most: number): Promise<MemoryMapInfo> {
  const { device, container, backing } = memory;
  const { memaddr, size, blockSize } = device.properties;
  const cellSize = cellSizeFor(size, blockSize, Math.max(1, most));
  const cells: MemoryMapCell[] = [];
  for (let offset = 0; offset < size; offset += cellSize) {
    const length = Math.min(cellSize, size - offset);
    const plugged = pluggedIn(device.memory, offset, length);
    const resident = plugged === 0 ? 0 : await backing.mapping.residentBytes(offset, length);
    cells.push({ plugged, resident, mapped: mappedIn(container, offset, length) });
  }
  const { pluggedSize, usableSize } = device.sizes;
  return {
    id: device.id,
    memaddr,
    size,
    blockSize,
    pluggedSize,
    usableSize,
    windowSize: container.windowSize,
    windows: container.windowCount,
    activeWindows: container.activeCount,
    cellSize,
    cells,
  };
}
