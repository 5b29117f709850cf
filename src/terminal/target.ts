import { ConfigError } from '../errors.ts';

/** What becomes of the guest's output when the client does not read: it is dropped, or the guest waits. */
export type WhenFull = 'drop' | 'block';

/** Where a serial port or a monitor is connected to. */
export type Target =
  | { readonly kind: 'none' }
  | { readonly kind: 'stdio' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'unix'; readonly path: string };

export type SerialTarget =
  | Exclude<Target, { kind: 'unix' }>
  | { readonly kind: 'unix'; readonly path: string; readonly whenFull: WhenFull };
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

/** A key behind a path; a path may have commas, too. */
const KEY = /,([a-z][a-z-]*)=([^,]*)$/;

/** Takes keys off the end of `unix:PATH,when-full=block`. */
function parseSerialSocket(text: string, option: string): SerialTarget {
  let rest = text;
  let whenFull: WhenFull | undefined;
  for (let match = KEY.exec(rest); match !== null; match = KEY.exec(rest)) {
    const [whole, key = '', value = ''] = match;
    const refuse = (why: string): never => {
      throw new ConfigError('BAD_TARGET', `${option} ${text}: ${why}`);
    };
    if (key !== 'when-full') refuse(`unknown key ${key}; there is when-full`);
    if (whenFull !== undefined) refuse('when-full is given twice');
    if (value !== 'drop' && value !== 'block') {
      return refuse(`when-full=${value}: must be drop or block`);
    }
    whenFull = value;
    rest = rest.slice(0, -whole.length);
  }
  return { kind: 'unix', path: parsePath(rest, option, 'unix'), whenFull: whenFull ?? 'drop' };
}

/**
 * Parses the value of `--serial`: `stdio`, `none`, `file:PATH` or `unix:PATH[,when-full=drop|block]`.
 *
 * @throws ConfigError naming the value
 */
export function parseSerialTarget(text: string): SerialTarget {
  const option = '--serial';
  if (text.startsWith('file:')) return { kind: 'file', path: parsePath(text, option, 'file') };
  if (text.startsWith('unix:')) return parseSerialSocket(text, option);
  if (text === 'none' || text === 'stdio') return { kind: text };
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
