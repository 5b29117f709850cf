import { ConfigError } from '../../errors.ts';
import type { MonitorCommand } from '../command.ts';
import { complete } from '../completion.ts';
import { lines, printable } from '../text.ts';

/** Columns that a client may have. */
const WIDEST = 1000;

export const terminalComplete: MonitorCommand = {
  name: 'terminal-complete',
  parameters: [{ name: 'line', rest: true, optional: true }],
  isForPrograms: true,
  summary: 'list what the last word of a line may become, as: terminal-complete "info mem"',
  details:
    'For clients at a terminal, as `tsvmm monitor`: what Tab offers there, a word on each line. It is ' +
    'not remembered for `info history`.',
  run: (args, { commands, control }) =>
    lines(complete(commands, control, args.optional('line') ?? '').candidates),
};

export const terminalWidth: MonitorCommand = {
  name: 'terminal-width',
  parameters: [{ name: 'columns' }],
  isForPrograms: true,
  summary: 'say how many columns the client shows, for this session, as: terminal-width 132',
  details:
    'For clients on a socket: pictures and tables are 80 columns wide otherwise. It is not remembered ' +
    'for `info history`.',
  run: (args, { settings }) => {
    const text = args.required('columns');
    const columns = /^\d{1,4}$/.test(text) ? Number(text) : 0;
    if (columns === 0 || columns > WIDEST) {
      const message = `terminal-width ${printable(text, 40)}: must be 1 to ${WIDEST}`;
      throw new ConfigError('BAD_VALUE', message);
    }
    settings.columns = columns;
    return '';
  },
};
