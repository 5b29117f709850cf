import { ConfigError } from '../../errors.ts';
import { VIOLATION_ACTIONS, WRITE_ACTIONS, type ViolationPolicy } from '../violations/violation.ts';
import { KeyValues } from './key-values.ts';

/**
 * A crash kernel without the driver reads all memory of the blocks that Linux knows: its dump must not be
 * lost to our protection. A write is a fault of the guest's in any case.
 */
export const DEFAULT_POLICY: ViolationPolicy = { read: 'zeros', write: 'stop' };

/** Parses `--on-violation`: an action for all accesses, or `read=ACTION,write=ACTION`. @throws ConfigError */
export function parseViolationPolicy(text: string): ViolationPolicy {
  const both = WRITE_ACTIONS.find((action) => action === text);
  if (both !== undefined) return { read: both, write: both };
  if (!text.includes('=')) {
    const choices = WRITE_ACTIONS.join(', ');
    const message = `--on-violation=${text}: must be one of ${choices}, or read=ACTION,write=ACTION`;
    throw new ConfigError('BAD_OPTION', message);
  }
  const keys = new KeyValues('--on-violation', text);
  const read = keys.choice('read', VIOLATION_ACTIONS) ?? DEFAULT_POLICY.read;
  const write = keys.choice('write', WRITE_ACTIONS) ?? DEFAULT_POLICY.write;
  keys.done();
  return { read, write };
}
