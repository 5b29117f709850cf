import { ConfigError } from '../../errors.ts';
import type { MonitorCommand } from '../command.ts';
import { parseCpu } from './info-registers.ts';

export const cpu: MonitorCommand = {
  name: 'cpu',
  parameters: [{ name: 'index', kind: 'cpu' }],
  summary: 'choose the vCPU that registers and virtual addresses are of, for this session',
  run: (args, { control, settings }) => {
    const id = parseCpu(args.required('index'));
    const last = control.cpus().length - 1;
    if (id > last) {
      throw new ConfigError('NO_OBJECT', `there is no vCPU ${id}: they are 0 to ${last}`);
    }
    settings.cpu = id;
    return '';
  },
};

export const nmi: MonitorCommand = {
  name: 'nmi',
  summary: 'send a non-maskable interrupt to every vCPU',
  run: async (_args, { control }) => {
    (await control.inspect()).injectNmi();
    return '';
  },
};
