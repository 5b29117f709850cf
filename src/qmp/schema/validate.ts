import { genericError, QmpError, quoted } from '../error.ts';
import { isJsonObject, type JsonValue } from '../json/value.ts';
import type { BuiltinName, Members, TypeOf, WireType } from './type.ts';

const SPELLED: Readonly<Record<BuiltinName, string>> = {
  str: 'string',
  int: 'integer',
  uint64: 'uint64',
  bool: 'boolean',
  any: 'value',
};

function wrongType(name: string, expected: string): QmpError {
  return genericError(`Invalid parameter type for ${quoted(name)}, expected: ${expected}`);
}

function isBuiltin(type: BuiltinName, value: JsonValue): boolean {
  switch (type) {
    case 'str':
      return typeof value === 'string';
    case 'int':
      return Number.isSafeInteger(value);
    case 'uint64':
      if (typeof value === 'bigint') return value >= 0n && value < 2n ** 64n;
      return Number.isSafeInteger(value) && Number(value) >= 0;
    case 'bool':
      return typeof value === 'boolean';
    case 'any':
      return true;
  }
}

/** Checks one value. @param name where it is, as `enable[0]`; empty for the arguments as a whole */
function check(type: WireType, value: JsonValue, name: string): void {
  switch (type.kind) {
    case 'builtin':
      if (!isBuiltin(type.name, value)) throw wrongType(name, SPELLED[type.name]);
      return;
    case 'enum':
      if (typeof value !== 'string') throw wrongType(name, 'string');
      if (!type.values.includes(value)) {
        throw genericError(`Parameter ${quoted(name)} does not accept value ${quoted(value)}`);
      }
      return;
    case 'list':
      if (!Array.isArray(value)) throw wrongType(name, 'array');
      value.forEach((element: JsonValue, at) => check(type.element, element, `${name}[${at}]`));
      return;
    case 'object':
      checkMembers(type.members, value, name);
      return;
    case 'union': {
      const tag = isJsonObject(value) ? value[type.tag] : undefined;
      const variant = typeof tag === 'string' ? type.variants[tag]?.members : undefined;
      checkMembers({ ...type.base, ...variant }, value, name);
      return;
    }
    case 'alternate':
      if (!type.types.some((each) => isValid(each, value, name))) throw wrongType(name, 'value');
  }
}

function isValid(type: WireType, value: JsonValue, name: string): boolean {
  try {
    check(type, value, name);
    return true;
  } catch (error) {
    if (error instanceof QmpError) return false;
    throw error;
  }
}

function checkMembers(members: Members, value: JsonValue, name: string): void {
  if (!isJsonObject(value)) throw wrongType(name, 'object');
  const prefix = name === '' ? '' : `${name}.`;
  for (const [key, member] of Object.entries(members)) {
    const isOptional = member.kind === 'optional';
    const given = value[key];
    if (given !== undefined) check(isOptional ? member.type : member, given, prefix + key);
    else if (!isOptional) throw genericError(`Parameter ${quoted(prefix + key)} is missing`);
  }
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(members, key)) {
      throw genericError(`Parameter ${quoted(prefix + key)} is unexpected`);
    }
  }
}

/** @throws QmpError naming the parameter that is missing, unexpected or of the wrong type */
export function validate<T extends WireType>(
  type: T,
  value: JsonValue,
): asserts value is TypeOf<T> & JsonValue {
  check(type, value, '');
}
