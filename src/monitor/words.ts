import { ConfigError } from '../errors.ts';

/** A word of a command line and where it starts in it. */
export interface Word {
  readonly text: string;
  readonly start: number;
}

export interface Words {
  readonly words: readonly Word[];
  /** Whether a quotation is still open at the end of the line. */
  readonly unterminated: boolean;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

interface Scan {
  readonly text: string;
  /** Behind the word. */
  readonly end: number;
  readonly unterminated: boolean;
}

/** A quoted word: `\n`, `\r`, `\t` as in C, any other escaped character stands for itself. */
function scanQuoted(line: string, start: number): Scan {
  let text = '';
  let at = start + 1;
  while (at < line.length) {
    const character = line.charAt(at);
    if (character === '"') return { text, end: at + 1, unterminated: false };
    if (character === '\\' && at + 1 < line.length) {
      at += 1;
      text += ESCAPES[line.charAt(at)] ?? line.charAt(at);
    } else {
      text += character;
    }
    at += 1;
  }
  return { text, end: at, unterminated: true };
}

function scanPlain(line: string, start: number): Scan {
  let end = start;
  while (end < line.length && line.charAt(end) !== ' ' && line.charAt(end) !== '\t') end += 1;
  return { text: line.slice(start, end), end, unterminated: false };
}

/** Splits a line at spaces and tabs; `"a b"` is one word. */
export function splitWords(line: string): Words {
  const words: Word[] = [];
  let unterminated = false;
  let at = 0;
  while (at < line.length) {
    if (line.charAt(at) === ' ' || line.charAt(at) === '\t') {
      at += 1;
      continue;
    }
    const scan = line.charAt(at) === '"' ? scanQuoted(line, at) : scanPlain(line, at);
    words.push({ text: scan.text, start: at });
    unterminated = scan.unterminated;
    at = scan.end;
  }
  return { words, unterminated };
}

/** @throws ConfigError for a quotation that does not end */
export function completeWords(line: string): readonly Word[] {
  const { words, unterminated } = splitWords(line);
  if (unterminated) throw new ConfigError('MONITOR_USAGE', 'the quotation mark is not closed');
  return words;
}

/** The word that is being written at the end of a line, and the words in front of it. */
export function wordAtEnd(line: string): { readonly word: string; readonly before: string[] } {
  const { words } = splitWords(line);
  const isNew = line === '' || /[ \t]$/.test(line);
  const last = words.at(-1);
  const word = isNew || last === undefined ? '' : line.slice(last.start);
  return { word, before: (isNew ? words : words.slice(0, -1)).map(({ text }) => text) };
}

/** A text as one word of a line: `splitWords` gives it back. */
export function quoteWord(text: string): string {
  const escaped = text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r');
  return `"${escaped}"`;
}
