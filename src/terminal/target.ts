import { ConfigError } from '../errors.ts';

/** Where a serial port or a monitor is connected to. */
export type Target =
  | { readonly kind: 'none' }
  | { readonly kind: 'stdio' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'unix'; readonly path: string };

export type SerialTarget = Target;
export type MonitorTarget = Exclude<Target, { kind: 'file' }>;

function parsePath(text: string, option: string, kind: string): string {
  const path = text.slice(kind.length + 1);
  if (path === '') {
    throw new ConfigError('BAD_TARGET', `${option} ${text}: the path is missing`);
  }
  if (path.includes('\0')) {
    throw new ConfigError('BAD_TARGET', `${option} ${kind}: the path contains a NUL`);
  }
  return path;
}

function parseCommon(text: string, option: string): MonitorTarget | undefined {
  if (text === 'none' || text === 'stdio') return { kind: text };
  if (text.startsWith('unix:')) return { kind: 'unix', path: parsePath(text, option, 'unix') };
  return undefined;
}

/**
 * Parses the value of `--serial`: `stdio`, `none`, `file:PATH` or `unix:PATH`.
 *
 * @throws ConfigError naming the value
 */
export function parseSerialTarget(text: string): SerialTarget {
  const option = '--serial';
  if (text.startsWith('file:')) return { kind: 'file', path: parsePath(text, option, 'file') };
  const target = parseCommon(text, option);
  if (target !== undefined) return target;
  throw new ConfigError(
    'BAD_TARGET',
    `${option} ${text}: must be stdio, none, file:PATH or unix:PATH`,
  );
}

/**
 * Parses the value of `--monitor`: `stdio`, `none` or `unix:PATH`.
 *
 * @throws ConfigError naming the value
 */
export function parseMonitorTarget(text: string): MonitorTarget {
  const target = parseCommon(text, '--monitor');
  if (target !== undefined) return target;
  throw new ConfigError('BAD_TARGET', `--monitor ${text}: must be stdio, none or unix:PATH`);
}
