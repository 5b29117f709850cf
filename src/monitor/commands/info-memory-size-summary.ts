import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0);

export const infoMemorySizeSummary: MonitorCommand = {
  name: 'info memory_size_summary',
  summary: 'show boot memory and plugged memory, in bytes',
  run: (_args, { control }) => {
    const ram = control.memslots().slots.filter((it) => it.isBootMemory);
    return lines([
      `base memory: ${sum(ram.map(({ size }) => size))}`,
      `plugged memory: ${sum(control.memoryDevices().map(({ size }) => size))}`,
    ]);
  },
};
