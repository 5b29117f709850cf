import { createRequire } from 'node:module';
import type * as Pino from 'pino';
import type Pretty from 'pino-pretty';
import { LineLimit } from './line-limit.ts';

/** Levels of `--log-level`, most severe first. `trace` is limited, `trace-all` is not. */
export const LOG_LEVELS = [
  'silent',
  'fatal',
  'error',
  'warn',
  'info',
  'debug',
  'trace',
  'trace-all',
] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text);
}

/** What components log through: pino's calls, fields first. */
export interface Log {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  /**
   * At the level `trace` some lines a second, with `suppressed`, the number of lines left out before; see
   * `LineLimit`.
   * On hot paths ask `isTraced` first, so that no fields are made for nobody.
   */
  trace(fields: object, message: string): void;
  /** Whether `trace` does anything. Costs a comparison. */
  readonly isTraced: boolean;
}

const TRACE = LOG_LEVELS.indexOf('trace');
/** Of one logger. A guest makes some 100,000 requests a second. */
const TRACES_PER_SECOND = 100;

let threshold: number = LOG_LEVELS.indexOf('info');
let root: Pino.Logger | undefined;
/** Where it goes: a file descriptor. */
let target = 2;
/** Counts changes of the target: loggers made before are made anew. */
let generation = 0;

/** Sends what is logged from now on to an open file, the caller's to close after the next call. */
export function setLogTarget(fd: number): void {
  target = fd;
  root = undefined;
  generation += 1;
}

/** Drops what is below `level` from now on. */
export function setLogLevel(level: LogLevel): void {
  threshold = LOG_LEVELS.indexOf(level);
  if (root !== undefined) root.level = pinoLevel();
}

/** Pino does not know that there is a limit. */
function pinoLevel(): string {
  return LOG_LEVELS[Math.min(threshold, TRACE)] ?? 'info';
}

/**
 * The root logger. It writes to stderr or a file, never among the guest's output, and synchronously,
 * so that a crash loses nothing. Loaded with the first line, since pino is a third of a quiet
 * start-up.
 */
function rootLogger(): Pino.Logger {
  if (root !== undefined) return root;
  const require = createRequire(import.meta.url);
  const { pino } = require('pino') as typeof Pino;
  const options = { level: pinoLevel(), base: null };
  if (target === 2 && process.stderr.isTTY) {
    const pretty = require('pino-pretty') as typeof Pretty;
    const ignore = 'component';
    const messageFormat = '{component}: {msg}';
    root = pino(options, pretty({ destination: 2, sync: true, ignore, messageFormat }));
  } else {
    root = pino(options, pino.destination({ fd: target, sync: true }));
  }
  return root;
}

function limited(write: Log['trace']): Log['trace'] {
  const limit = new LineLimit(TRACES_PER_SECOND, write);
  return (fields, message) => {
    if (threshold < TRACE) return;
    if (threshold === TRACE) {
      limit.put(fields, message);
      return;
    }
    limit.flush();
    write(fields, message);
  };
}

/** One logger per component: `log('virtio-mem').warn({ id }, 'plug refused')`. */
export function log(component: string): Log {
  let child: Pino.Logger | undefined;
  let madeIn = 0;
  const at = (level: 'error' | 'warn' | 'info' | 'debug' | 'trace') => {
    const rank = LOG_LEVELS.indexOf(level);
    return (fields: object, message: string) => {
      if (rank > threshold) return;
      if (madeIn !== generation) child = undefined;
      madeIn = generation;
      child ??= rootLogger().child({ component }, { level: 'trace' });
      child[level](fields, message);
    };
  };
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    trace: limited(at('trace')),
    get isTraced() {
      return threshold >= TRACE;
    },
  };
}
