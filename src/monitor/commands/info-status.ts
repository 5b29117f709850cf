import type { MonitorCommand } from '../command.ts';
import { printable } from '../text.ts';

export const infoStatus: MonitorCommand = {
  name: 'info status',
  summary: 'show whether the machine runs, and why not',
  details: 'A machine that was reset has another line, which says how often, and by whom.',
  run: (_args, { control }) => {
    const { running, reason, resets = [] } = control.status();
    const why = running || reason === undefined ? '' : ` (${reason})`;
    const state = `VM status: ${running ? 'running' : `paused${why}`}\n`;
    if (resets.length === 0) return state;
    const counts = resets.map(({ kind, count }) => `${kind} ${count}`);
    return `${state}resets: ${counts.join(', ')}\n`;
  },
};

export const infoVersion: MonitorCommand = {
  name: 'info version',
  summary: 'show the version of tsvmm',
  run: (_args, { control }) => `${control.version}\n`,
};

export const infoUuid: MonitorCommand = {
  name: 'info uuid',
  summary: "show the machine's UUID (run --uuid), zeros when it has none",
  run: (_args, { control }) => `${control.uuid}\n`,
};

export const infoName: MonitorCommand = {
  name: 'info name',
  summary: "show the machine's name (run --name)",
  run: (_args, { control }) => `${printable(control.name)}\n`,
};
