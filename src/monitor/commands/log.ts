import { ConfigError } from '../../errors.ts';
import { isLogLevel, LOG_LEVELS, setLogLevel } from '../../log.ts';
import type { MonitorCommand } from '../command.ts';
import { printable } from '../text.ts';

export const logCommand: MonitorCommand = {
  name: 'log',
  parameters: [{ name: 'level', kind: 'log-level' }],
  summary: `choose what is logged: none, or from this level up: ${LOG_LEVELS.join(', ')}`,
  run: (args) => {
    const asked = args.required('level');
    const level = asked === 'none' ? 'silent' : asked;
    if (!isLogLevel(level)) {
      const message = `level=${printable(asked, 20)}: must be none or one of ${LOG_LEVELS.join(', ')}`;
      throw new ConfigError('BAD_VALUE', message);
    }
    setLogLevel(level);
    return '';
  },
};
