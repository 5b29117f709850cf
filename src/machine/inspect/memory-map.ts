import type { DiscardManager } from '../../memory/discard-manager.ts';
import type { MemslotContainer } from '../../memory/memslot-container.ts';
import type { MemoryDevice } from '../memory-devices.ts';
import type { MemoryMapCell, MemoryMapInfo } from './inspection.ts';

/** Without a memslot nothing is plugged, so only cells that have one are looked into. */
const NOT_MAPPED: MemoryMapCell = { plugged: 0, resident: 0, mapped: 'none', border: false };
const NOT_MAPPED_FROM_HERE: MemoryMapCell = { ...NOT_MAPPED, border: true };

/** @returns bytes: the smallest power of two of blocks of which `cells` cover the region */
export function cellSizeFor(size: number, blockSize: number, cells: number): number {
  let cell = blockSize;
  while (Math.ceil(size / cell) > cells) cell *= 2;
  return cell;
}

interface Plugged {
  /** Bytes plugged in all. */
  readonly bytes: number;
  /** From the first plugged byte to the end of the last. */
  readonly start: number;
  readonly end: number;
}

function pluggedIn(memory: DiscardManager, offset: number, length: number): Plugged {
  let [bytes, start, end] = [0, offset + length, offset];
  memory.replayPopulated(offset, length, (run, size) => {
    bytes += size;
    start = Math.min(start, run);
    end = run + size;
  });
  return { bytes, start, end };
}

/** How many memslots lie in each cell, or pass through it; a cell without any is absent. */
function activeIn(container: MemslotContainer, cellSize: number): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const window of container.activeWindows()) {
    const offset = container.windowOffset(window);
    const last = Math.floor((offset + container.windowLength(window) - 1) / cellSize);
    for (let cell = Math.floor(offset / cellSize); cell <= last; cell++) {
      counts.set(cell, (counts.get(cell) ?? 0) + 1);
    }
  }
  return counts;
}

function mapped(
  container: MemslotContainer,
  active: number,
  offset: number,
  length: number,
): MemoryMapCell['mapped'] {
  const windows = container.lastWindow(offset, length) - container.firstWindow(offset) + 1;
  return active < windows ? 'some' : 'all';
}

/** Whether a memslot begins in the cell at an offset, or a window without one. */
function isBorder(container: MemslotContainer, offset: number, cellSize: number): boolean {
  const { windowSize } = container;
  if (windowSize < cellSize || offset % windowSize >= cellSize) return false;
  const window = container.firstWindow(offset);
  return (container.spanOf(window)?.first ?? window) === window;
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
  const activeByCell = activeIn(container, cellSize);
  for (let offset = 0; offset < size; offset += cellSize) {
    const active = activeByCell.get(cells.length);
    const border = isBorder(container, offset, cellSize);
    if (active === undefined) {
      cells.push(border ? NOT_MAPPED_FROM_HERE : NOT_MAPPED);
      continue;
    }
    const length = Math.min(cellSize, size - offset);
    const { bytes: plugged, start, end } = pluggedIn(device.memory, offset, length);
    const resident = plugged === 0 ? 0 : await backing.mapping.residentBytes(start, end - start);
    cells.push({ plugged, resident, mapped: mapped(container, active, offset, length), border });
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
    memslots: container.slotCount,
    cellSize,
    cells,
  };
}
