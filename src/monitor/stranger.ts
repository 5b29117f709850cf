import type { NextLine } from './line-splitter.ts';

/** A request line of HTTP of any version and method (RFC 9112 §3; RFC 9113 §3.4 for `PRI *`). */
const HTTP_REQUEST = /^[\w!#$%&'*+.^`|~-]+ \S+ HTTP\/\d/;
/** How binary protocols begin that a browser speaks to any port: TLS 0x16 (RFC 8446 §5.1), STUN 0x00 (RFC 8489 §5). */
const BINARY = /^[\0-\x07\x0e-\x1a]/;

/**
 * What a client speaks that has come to a monitor's port by mistake, or was sent there: any page that a
 * browser of this host shows can have it post lines to a local port, and the monitor would run them as
 * commands. Their first line gives them away.
 *
 * @returns what it is, for a message; undefined for what may be a command
 */
export function strangerOf(firstLine: NextLine): string | undefined {
  // A command is never that long, and the address in a request may be: its end is not seen.
  if (firstLine === 'too-long') return 'a first line longer than any command';
  if (HTTP_REQUEST.test(firstLine.text)) return 'an HTTP request';
  return BINARY.test(firstLine.text) ? 'binary data' : undefined;
}
