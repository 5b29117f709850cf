import { ConfigError } from '../errors.ts';

/** What a key of an option may be given as in a program. */
export type OptionValue = string | number | boolean | readonly number[] | undefined;

/** `dynamicMemslots` is `dynamic-memslots` on the command line. */
function optionKey(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function valueText(option: string, key: string, value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  const text = String(value);
  // A comma would begin another key.
  if (!text.includes(',')) return text;
  throw new ConfigError('BAD_OPTION', `${option} ${key}=${text}: a value cannot contain a comma`);
}

/**
 * Writes an option's keys as a user would on the command line, so that one parser checks both.
 *
 * @param option  what it is for, as `--virtio-mem`
 * @param values  by name in camel case; undefined ones are left out
 * @returns `key=value,key=value`
 * @throws ConfigError for a value that cannot be written so
 */
export function optionText(option: string, values: Readonly<Record<string, OptionValue>>): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const key = optionKey(name);
    const list = typeof value === 'object' ? value : [value];
    for (const each of list) parts.push(`${key}=${valueText(option, key, each)}`);
  }
  return parts.join(',');
}
