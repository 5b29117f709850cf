import { dirname, resolve } from 'node:path';
import { messageOf } from '../../errors.ts';
import { parseSize } from '../../units.ts';
import type { Scalar } from './value.ts';

/** Prefixes of a `where` that a path follows. */
const PATH_PREFIX = /^(unix|file):(.+)$/s;
const NUMBERS = /^\d{1,5}(-\d{1,5})?$/;

/** Why a value cannot be; whoever knows the place says where. */
export class BadValue extends Error {}

const refuse = (why: string): never => {
  throw new BadValue(why);
};

function text(value: unknown): string {
  if (typeof value !== 'string') return refuse('must be text; put it in quotation marks');
  if (value.includes('\0')) return refuse('contains a NUL');
  return value;
}

function line(value: unknown): string {
  const found = text(value);
  if (!/[\r\n]/.test(found)) return found;
  return refuse('must be one line; in YAML, >- in front of several folds them into one');
}

function size(value: unknown): string {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
  if (typeof value !== 'string') return refuse('must be bytes, or text as 500M or 1.5G');
  try {
    parseSize(value, '');
    return value;
  } catch (error) {
    return refuse(messageOf(error).replace(/^=[^:]*: /, ''));
  }
}

function count(value: unknown): string {
  const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
  return isCount ? String(value) : refuse('must be a whole number that is not negative');
}

function flag(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return value === 'on' || value === 'off' ? value : refuse('must be true or false');
}

function choice(value: unknown, allowed: readonly string[]): string {
  const asText = typeof value === 'boolean' ? flag(value) : value;
  const found = allowed.find((it) => it === asText);
  return found ?? refuse(`must be ${allowed.join(', ').replace(/, ([^,]*)$/, ' or $1')}`);
}

/** @returns one text for each number and range */
function numbers(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) refuse('must be a number, a range as 0-3, or a list of them');
  return list.map((each) => {
    const asText = typeof each === 'number' ? String(each) : each;
    if (typeof asText === 'string' && NUMBERS.test(asText)) return asText;
    return refuse('must be a number, a range as 0-3, or a list of them');
  });
}

/**
 * A value of a configuration file as a user would write it on the command line.
 *
 * @param value as YAML or JSON has it
 * @param file  the file: relative paths are relative to it
 * @returns one text, except for `numbers`, of which each is one
 * @throws BadValue
 */
export function commandLineText(value: unknown, scalar: Scalar, file: string): readonly string[] {
  if (value === null) refuse('there is no value');
  if (typeof scalar === 'object') return [choice(value, scalar)];
  const path = (relative: string): string =>
    relative === '' ? refuse('the path is empty') : resolve(dirname(file), relative);
  switch (scalar) {
    case 'text':
      return [line(value)];
    case 'path':
      return [path(text(value))];
    case 'where': {
      const [, prefix, relative] = PATH_PREFIX.exec(text(value)) ?? [];
      if (prefix === undefined || relative === undefined) return [text(value)];
      return [`${prefix}:${path(relative)}`];
    }
    case 'size':
      return [size(value)];
    case 'count':
      return [count(value)];
    case 'flag':
      return [flag(value)];
    case 'numbers':
      return numbers(value);
  }
}
