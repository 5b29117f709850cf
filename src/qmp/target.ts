import { ConfigError } from '../errors.ts';

/** Where clients come in. */
export type QmpTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

const LOOPBACK = '127.0.0.1';
/** `tcp:PORT`, `tcp:ADDR:PORT`, `tcp:[IPv6]:PORT`. */
const TCP = /^tcp:(?:(?:\[([0-9a-fA-F:.]+)\]|([\w.-]*)):)?(\d{1,5})$/;
/** A day: longer than anybody wants to wait for an event. */
const INTERVAL_LIMIT_MS = 86_400_000;

/**
 * Parses a value of `--qmp`: `unix:PATH`, `tcp:ADDR:PORT`, or `tcp:PORT` on the loopback interface.
 * Port 0 is any free one.
 *
 * @throws ConfigError naming the value
 */
export function parseQmpTarget(text: string): QmpTarget {
  const refuse = (why: string): never => {
    throw new ConfigError('BAD_TARGET', `--qmp ${text.replaceAll('\0', '\\0')}: ${why}`);
  };
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (path === '') return refuse('the path is missing');
    if (path.includes('\0')) return refuse('the path contains a NUL');
    return { kind: 'unix', path };
  }
  const found = TCP.exec(text);
  if (found === null) return refuse('must be unix:PATH, tcp:ADDR:PORT or tcp:PORT');
  const [, ipv6, name = '', digits] = found;
  const port = Number(digits);
  if (port > 65_535) return refuse('a port is at most 65535');
  return { kind: 'tcp', host: ipv6 ?? (name === '' ? LOOPBACK : name), port };
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
