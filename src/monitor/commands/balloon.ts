import { ConfigError } from '../../errors.ts';
import type { MonitorCommand } from '../command.ts';

/** What clients of the established monitor look for, to know that a machine has no balloon. */
export const NO_BALLOON = 'No balloon device has been activated';

const refuse = (): never => {
  throw new ConfigError('NO_BALLOON', NO_BALLOON);
};

export const balloon: MonitorCommand = {
  name: 'balloon',
  parameters: [{ name: 'target' }],
  summary:
    'say that there is no balloon: qom-set requested-size of a memory device resizes a guest',
  run: refuse,
};

export const infoBalloon: MonitorCommand = {
  name: 'info balloon',
  summary: 'say that there is no balloon: info memory-devices shows what there is',
  run: refuse,
};
