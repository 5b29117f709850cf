import { describe } from '../arguments.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

/** `info` alone; its subcommands are commands of their own. */
export const info: MonitorCommand = {
  name: 'info',
  parameters: [{ name: 'subcommand', optional: true, kind: 'command' }],
  summary: 'show one aspect of the machine; "help info" lists them',
  run: (_args, { commands }) => lines(commands.subcommands('info').map(describe)),
};
