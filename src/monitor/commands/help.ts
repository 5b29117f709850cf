import { describe } from '../arguments.ts';
import type { MonitorCommand } from '../command.ts';
import { lines, printable } from '../text.ts';

export const help: MonitorCommand = {
  name: 'help',
  aliases: ['?'],
  parameters: [{ name: 'cmd', optional: true, rest: true, kind: 'command' }],
  summary: 'list the commands, or describe one',
  run: (args, { commands }) => {
    const asked = args.optional('cmd');
    if (asked === undefined) return lines(commands.topLevel().map(describe));
    const found = commands.find(asked.split(' '));
    if (found === undefined) return `unknown command: '${printable(asked)}'\n`;
    const subcommands = commands.subcommands(found.command.name);
    return lines((subcommands.length > 0 ? subcommands : [found.command]).map(describe));
  },
};
