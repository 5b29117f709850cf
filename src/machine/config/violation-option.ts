import { ConfigError } from '../../errors.ts';
import {
  isViolationAction,
  VIOLATION_ACTIONS,
  type ViolationAction,
} from '../violations/violation.ts';

/** Parses `--on-violation`. @throws ConfigError */
export function parseViolationAction(text: string): ViolationAction {
  if (isViolationAction(text)) return text;
  const choices = VIOLATION_ACTIONS.join(', ');
  throw new ConfigError('BAD_OPTION', `--on-violation=${text}: must be one of ${choices}`);
}
