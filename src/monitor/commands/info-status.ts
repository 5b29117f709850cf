import type { MonitorCommand } from '../command.ts';
import { printable } from '../text.ts';

export const infoStatus: MonitorCommand = {
  name: 'info status',
  summary: 'show whether the machine runs, and why not',
  run: (_args, { control }) => {
    const { running, reason } = control.status();
    if (running) return 'VM status: running\n';
    return `VM status: paused${reason === undefined ? '' : ` (${reason})`}\n`;
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
