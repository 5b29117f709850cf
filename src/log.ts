import { pino, type Logger } from 'pino';

/** Levels of `--log-level`. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Logs go to stderr, never among the guest's output. Synchronous, so that a crash loses nothing. */
const root: Logger = pino(
  { level: 'info', base: undefined },
  pino.destination({ fd: 2, sync: true }),
);

/** One child per component: `log('virtio-mem')`. */
export function log(component: string): Logger {
  return root.child({ component });
}
