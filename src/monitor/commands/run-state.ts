import type { MonitorCommand } from '../command.ts';

export const stop: MonitorCommand = {
  name: 'stop',
  aliases: ['s'],
  summary: 'pause the machine: no vCPU runs until cont',
  run: async (_args, { control }) => {
    await control.stop();
    return '';
  },
};

export const cont: MonitorCommand = {
  name: 'cont',
  aliases: ['c'],
  summary: 'let a paused machine run on',
  run: async (_args, { control }) => {
    await control.cont();
    return '';
  },
};
