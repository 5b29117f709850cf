import { ConfigError } from '../errors.ts';
import { parseSocketTarget, type SocketTarget } from '../terminal/target.ts';

/** A day: longer than anybody wants to wait for an event. */
const INTERVAL_LIMIT_MS = 86_400_000;

/** Parses a value of `--qmp`, as `parseSocketTarget` has it. @throws ConfigError naming the value */
export function parseQmpTarget(text: string): SocketTarget {
  return parseSocketTarget(text, '--qmp');
}

/** Parses the value of `--qmp-event-interval`, milliseconds. @throws ConfigError naming the value */
export function parseEventInterval(text: string): number {
  const ms = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN;
  if (ms <= INTERVAL_LIMIT_MS) return ms;
  throw new ConfigError(
    'BAD_OPTION',
    `--qmp-event-interval=${text}: must be milliseconds, 0 to ${INTERVAL_LIMIT_MS}`,
  );
}
