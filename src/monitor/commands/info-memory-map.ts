import { ConfigError } from '../../errors.ts';
import type { MachineControl, MemoryMapCell, MemoryMapInfo } from '../../machine/control.ts';
import { cellSizeFor } from '../../machine/inspect/memory-map.ts';
import { formatSize, hex } from '../../units.ts';
import type { MonitorCommand } from '../command.ts';
import { findObject, objectTree } from '../object-tree.ts';
import { lines, printable, roughSize } from '../text.ts';

/** Rows at most: a picture should fit the terminal with room for what was before. */
const ROWS = 16;
const FEWEST_IN_ROW = 8;
const MOST_IN_ROW = 256;

/** What decides how a device fits the terminal. Bytes. */
export interface MapShape {
  readonly memaddr: number;
  readonly size: number;
  readonly blockSize: number;
  /** What memslots cover, one or several; a border costs a character. */
  readonly windowSize: number;
}

/** Cells in a row: a power of two, so that rows begin at round addresses. */
export function cellsInRow(shape: MapShape, columns: number): number {
  const address = hex(shape.memaddr + shape.size).length + 1;
  for (let cells = MOST_IN_ROW; cells > FEWEST_IN_ROW; cells /= 2) {
    const cell = cellSizeFor(shape.size, shape.blockSize, cells * ROWS);
    const borders = cell > shape.windowSize ? 0 : Math.ceil((cells * cell) / shape.windowSize);
    if (address + cells + borders + 1 <= columns) return cells;
  }
  return FEWEST_IN_ROW;
}

function draw(cell: MemoryMapCell, length: number): string {
  if (cell.plugged === 0) return cell.mapped === 'none' ? ' ' : '.';
  if (cell.plugged < length) return ':';
  if (cell.resident === 0) return '-';
  return cell.resident < cell.plugged ? '+' : '#';
}

function drawRow(map: MemoryMapInfo, first: number, count: number): string {
  let text = '';
  for (let index = first; index < Math.min(first + count, map.cells.length); index++) {
    const cell = map.cells[index];
    const offset = index * map.cellSize;
    if (cell === undefined) break;
    const length = Math.min(map.cellSize, map.size - offset);
    text += `${cell.border ? '|' : ''}${draw(cell, length)}`;
  }
  const isLast = first + count >= map.cells.length;
  return isLast ? `${text}|` : text;
}

function heading(map: MemoryMapInfo): string[] {
  const { id, memaddr, size, cellSize, windowSize, windows, activeWindows, memslots } = map;
  const resident = map.cells.reduce((sum, cell) => sum + cell.resident, 0);
  const borders =
    windowSize >= cellSize
      ? 'borders |'
      : `${windowSize === 0 ? 0 : Math.ceil(cellSize / windowSize)} in a cell`;
  return [
    `${id}: ${hex(memaddr)} to ${hex(memaddr + size)}, ${formatSize(size)}`,
    `plugged ${roughSize(map.pluggedSize)}, resident ${roughSize(resident)}, usable ${roughSize(map.usableSize)}`,
    `${memslots} ${memslots === 1 ? 'memslot' : 'memslots'} in ${activeWindows} of ${windows} windows of ${formatSize(windowSize)} (${borders}); a cell is ${formatSize(cellSize)}`,
  ];
}

/** A memory device as rows of cells. */
export function drawMap(map: MemoryMapInfo, perRow: number): string[] {
  const width = hex(map.memaddr + map.size).length;
  const rows: string[] = [];
  for (let first = 0; first < map.cells.length; first += perRow) {
    const address = hex(map.memaddr + first * map.cellSize).padStart(width);
    rows.push(`${address} ${drawRow(map, first, perRow)}`);
  }
  return [
    ...heading(map),
    ...rows,
    'plugged and # resident  + partly resident  - not resident;  : partly plugged',
    'unplugged and . in a memslot  (blank) not in one',
  ];
}

/** @throws ConfigError when there is no such device */
function shapeOf(control: MachineControl, id: string): MapShape {
  const device = control.memoryDevices().find((each) => each.id === id);
  if (device === undefined) {
    throw new ConfigError('NO_OBJECT', `there is no memory device '${printable(id)}'`);
  }
  const { memaddr, maxSize: size, blockSize } = device;
  const object = findObject(objectTree(control.objects()), id);
  const value = object.properties.find(({ name }) => name === 'memslot-size')?.value;
  return { memaddr, size, blockSize, windowSize: typeof value === 'number' ? value : size };
}

export const infoMemoryMap: MonitorCommand = {
  name: 'info memory-map',
  parameters: [{ name: 'id', kind: 'memory-device' }],
  summary: 'draw a memory device: plugged, unplugged, resident, memslots, as: info memory-map vm0',
  details:
    'The picture is as wide as the terminal, and has sixteen rows at most. Each character is a piece ' +
    'of the device, as large as the heading says. Memory is resident when the host has given it: ' +
    'what the guest has not touched yet, and what is swapped out, is not.',
  run: async (args, context) => {
    const id = args.required('id').replace(/^.*\//, '');
    const perRow = cellsInRow(shapeOf(context.control, id), context.columns);
    const inspection = await context.control.inspect();
    return lines(drawMap(await inspection.memoryMap(id, perRow * ROWS), perRow));
  },
};
