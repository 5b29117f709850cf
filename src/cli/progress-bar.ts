import type { MemoryDeviceState } from '../api/memory-host.ts';
import { isStuck } from '../machine/convergence-reporter.ts';
import { formatSize, GIB, MIB } from '../units.ts';

const BAR_WIDTH = 32;
const CLEAR_LINE = '\u001b[K';

/** Rounded, for a line that changes all the time. */
function roughSize(bytes: number): string {
  if (bytes >= GIB && bytes % GIB !== 0) return `${(bytes / GIB).toFixed(1)} GiB`;
  return formatSize(bytes - (bytes % MIB));
}

/**
 * A line that shows how far a device has come from the size it had at first, and why it comes no
 * further. Where nobody looks, there is a line only when the guest stops and when it goes on.
 */
export class ProgressBar {
  readonly #output: NodeJS.WriteStream;
  #from: number | undefined;
  #isStalled = false;

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  show(state: MemoryDeviceState): void {
    this.#from ??= state.size;
    if (this.#output.isTTY) {
      // What goes on in the next line could not be written over.
      const line = progressLine(this.#from, state).slice(0, this.#output.columns - 1);
      this.#output.write(`\r${line}${CLEAR_LINE}`);
      return;
    }
    const isStalled = isStuck(state.convergence);
    if (isStalled !== this.#isStalled) this.#output.write(`tsvmm: ${stallLine(state)}\n`);
    this.#isStalled = isStalled;
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
  const why = isStuck(state.convergence) ? `, stalled: ${state.cause}` : '';
  return `${id} [${bar}] ${roughSize(size)} ${towards} ${roughSize(requestedSize)}${why}`;
}

/** That the guest does not go on, or does again. */
export function stallLine({
  id,
  size,
  requestedSize,
  convergence,
  cause,
}: MemoryDeviceState): string {
  const where = `at ${formatSize(size)} of ${formatSize(requestedSize)}`;
  if (!isStuck(convergence)) return `${id}: goes on, ${where}`;
  return `${id}: stalled ${where}, still waiting: ${cause}`;
}
