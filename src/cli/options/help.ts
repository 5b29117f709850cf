import { COMMON_BACKEND_KEYS } from './keys.ts';
import type { Key, Keys, Scalar } from './value.ts';

const WIDTH = 100;
/** Where explanations begin. */
const INDENT = 26;

const SHOWN: Readonly<Record<Extract<Scalar, string>, string>> = {
  text: 'TEXT',
  path: 'PATH',
  where: 'WHERE',
  size: 'SIZE',
  count: 'N',
  flag: 'on|off',
  numbers: 'A-B',
};

function shown({ value, shown: own }: Key): string {
  return own ?? (typeof value === 'string' ? SHOWN[value] : value.join('|'));
}

/** `  key=VALUE   what it means`, broken at spaces. */
function entry(left: string, help: string): string {
  const lines: string[] = [];
  let line = `  ${left} `.padEnd(INDENT);
  if (line.length > INDENT) line += '  ';
  for (const word of help.split(' ')) {
    if (line.length + word.length > WIDTH) {
      lines.push(line.trimEnd());
      line = ' '.repeat(INDENT);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()].join('\n');
}

/** Explains keys, a line or more for each. */
export function keysHelp(keys: Keys): string {
  return Object.entries(keys)
    .map(([name, key]) => entry(`${name}=${shown(key)}`, key.help))
    .join('\n');
}

/** Explains a type and the keys that it has beside those of every memory backend. */
export function typeHelp(
  name: string,
  { help, keys }: { readonly help: string; readonly keys: Keys },
): string {
  const own = Object.entries(keys).filter(([key]) => !Object.hasOwn(COMMON_BACKEND_KEYS, key));
  return `${entry(name, help)}\n${keysHelp(Object.fromEntries(own)).replace(/^/gm, '  ')}`;
}
