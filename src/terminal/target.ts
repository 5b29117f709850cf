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

/** Where clients of a machine come in. */
export type SocketTarget = { readonly kind: 'unix'; readonly path: string } | TcpTarget;

/** A port, of this host alone unless an address is given. */
export interface TcpTarget {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
}

export type MonitorTarget = SocketTarget | { readonly kind: 'none' } | { readonly kind: 'stdio' };

const LOOPBACK = '127.0.0.1';
/** `PORT`, `ADDR:PORT`, `[IPv6]:PORT`. */
const TCP_PLACE = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([\w.-]*)):)?(\d{1,5})$/;

function parsePath(text: string, option: string, kind: string): string {
  const path = text.slice(kind.length + 1);
  if (path === '') {
    throw new ConfigError('BAD_TARGET', `${option} ${text}: the path is missing`);
  }
  if (path.includes('\0')) {
    const shown = text.replaceAll('\0', '\\0');
    throw new ConfigError('BAD_TARGET', `${option} ${shown}: the path contains a NUL`);
  }
  return path;
}

/**
 * Parses the value of an option that names a socket: `unix:PATH`, `tcp:ADDR:PORT`, or `tcp:PORT` on the
 * loopback interface. Port 0 is any free one.
 *
 * @param option  as `--qmp`, for messages
 * @param others  what else it may be, likewise: `stdio, `
 * @throws ConfigError naming the value
 */
export function parseSocketTarget(text: string, option: string, others = ''): SocketTarget {
  if (text.startsWith('unix:')) return { kind: 'unix', path: parsePath(text, option, 'unix') };
  const refuse = (why: string): never => {
    throw new ConfigError('BAD_TARGET', `${option} ${text.replaceAll('\0', '\\0')}: ${why}`);
  };
  const [kind, place = ''] = splitOnce(text, ':');
  const found = kind === 'tcp' ? TCP_PLACE.exec(place) : null;
  if (found === null) return refuse(`must be ${others}unix:PATH, tcp:ADDR:PORT or tcp:PORT`);
  const [, ipv6, name = '', digits] = found;
  const port = Number(digits);
  if (port > 65_535) return refuse('a port is at most 65535');
  return { kind: 'tcp', host: ipv6 ?? (name === '' ? LOOPBACK : name), port };
}

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
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
 * Parses the value of `--monitor`: `stdio`, `none`, or a socket as `parseSocketTarget` has it.
 *
 * @throws ConfigError naming the value
 */
export function parseMonitorTarget(text: string): MonitorTarget {
  if (text === 'none' || text === 'stdio') return { kind: text };
  return parseSocketTarget(text, '--monitor', 'stdio, none, ');
}
