import type { MonitorCommand } from '../command.ts';

export const systemReset: MonitorCommand = {
  name: 'system_reset',
  summary: 'reset the machine, as its reset button does',
  run: async (_args, { control }) => {
    await control.reset();
    return '';
  },
};

export const systemPowerdown: MonitorCommand = {
  name: 'system_powerdown',
  summary: 'press the power button; the guest decides what to do',
  run: (_args, { control }) => {
    control.powerDown();
    return '';
  },
};
