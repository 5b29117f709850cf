import type { CpuInfo } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

function describeCpu({ id, threadId }: CpuInfo, current: number): string {
  const thread = threadId === undefined ? 'not started' : `thread_id=${threadId}`;
  return `${id === current ? '*' : ' '} CPU #${id}: ${thread}`;
}

export const infoCpus: MonitorCommand = {
  name: 'info cpus',
  parameters: [{ name: '-v', optional: true }],
  summary: 'show the vCPUs and their threads (-v: and what they do)',
  run: (args, { control, settings }) => {
    const verbose = args.has('-v');
    return lines(
      control
        .cpus()
        .map((cpu) => `${describeCpu(cpu, settings.cpu)}${verbose ? ` state=${cpu.state}` : ''}`),
    );
  },
};
