import type { MonitorCommand } from '../command.ts';

export const quit: MonitorCommand = {
  name: 'quit',
  aliases: ['q'],
  summary: 'end the machine at once, without asking the guest',
  run: (_args, context) => {
    context.endSession();
    context.control.quit();
    return '';
  },
};
