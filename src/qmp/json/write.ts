import { isJsonObject, type JsonValue } from './value.ts';

/** What JSON.stringify leaves as it is, and a terminal or a byte-wise reader may not. */
const NOT_ASCII = /[\u007f-\uffff]/g;

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

function writeString(text: string): string {
  return JSON.stringify(text).replace(NOT_ASCII, escapeCharacter);
}

/**
 * Writes a value on one line, in ASCII, with a space behind each colon and comma: the form that
 * scripts have come to look for. Members that are undefined are left out.
 */
export function writeJson(value: JsonValue): string {
  if (typeof value === 'string') return writeString(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (!isJsonObject(value)) return `[${value.map(writeJson).join(', ')}]`;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${writeString(name)}: ${writeJson(member)}`);
  }
  return `{${members.join(', ')}}`;
}
