import type { MonitorCommand } from '../command.ts';
import { lines, printable } from '../text.ts';

export const infoHistory: MonitorCommand = {
  name: 'info history',
  summary: 'show the command lines of this session',
  run: (_args, { history }) =>
    lines(history.map((line, index) => `${index}: '${printable(line, 4096)}'`)),
};
