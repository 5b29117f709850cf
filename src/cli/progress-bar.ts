import type { MemoryDeviceState } from '../api/memory-host.ts';
import { formatSize, GIB, MIB } from '../units.ts';

const BAR_WIDTH = 32;
const CLEAR_LINE = '\u001b[K';

/** Rounded, for a line that changes all the time. */
function roughSize(bytes: number): string {
  if (bytes >= GIB && bytes % GIB !== 0) return `${(bytes / GIB).toFixed(1)} GiB`;
  return formatSize(bytes - (bytes % MIB));
}

/** A line that shows how far a device has come from the size it had at first. */
export class ProgressBar {
  readonly #output: NodeJS.WriteStream;
  #from: number | undefined;

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  show(state: MemoryDeviceState): void {
    if (!this.#output.isTTY) return;
    this.#from ??= state.size;
    this.#output.write(`\r${progressLine(this.#from, state)}${CLEAR_LINE}`);
  }

  /** Leaves the line as it is. */
  end(): void {
    if (this.#output.isTTY && this.#from !== undefined) this.#output.write('\n');
  }
}

/** @param from  what the device had at first, in bytes */
export function progressLine(from: number, state: MemoryDeviceState): string {
  const { id, size, requestedSize } = state;
  const whole = Math.abs(requestedSize - from);
  const left = Math.abs(requestedSize - size);
  const done = whole === 0 ? 1 : Math.max(0, 1 - left / whole);
  const filled = Math.floor(done * BAR_WIDTH);
  const bar = '#'.repeat(filled).padEnd(BAR_WIDTH, '.');
  const towards = requestedSize < from ? '->' : 'of';
  return `${id} [${bar}] ${roughSize(size)} ${towards} ${roughSize(requestedSize)}`;
}
