import { HostError } from '../../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../qmp/json/value.ts';

/*
 * Reads what another process answers. It may be another version: members that are not known are let
 * be, and those that are needed must be there.
 */

function wrong(what: string): HostError {
  return new HostError('BAD_ANSWER', `the machine's answer has no ${what} that can be used`);
}

/** @throws HostError */
export function objectOf(value: JsonValue | undefined, what: string): JsonObject {
  if (!isJsonObject(value)) throw wrong(what);
  return value;
}

/** @throws HostError */
export function listOf(value: JsonValue | undefined, what: string): readonly JsonValue[] {
  if (!Array.isArray(value)) throw wrong(what);
  return value.map((each: JsonValue) => each);
}

/** @throws HostError */
export function textOf(object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value !== 'string') throw wrong(name);
  return value;
}

/** @throws HostError */
export function numberOf(object: JsonObject, name: string): number {
  const value = object[name];
  if (typeof value !== 'number') throw wrong(name);
  return value;
}

/** A whole number of up to 64 bits. @throws HostError */
export function integerOf(object: JsonObject, name: string): bigint {
  const value = object[name];
  if (typeof value === 'bigint') return value;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(name);
  return BigInt(value);
}

/** @throws HostError when it is none of `known` */
export function oneOf<Value extends string>(
  known: readonly Value[],
  object: JsonObject,
  name: string,
): Value {
  const found = known.find((each) => each === object[name]);
  if (found === undefined) throw wrong(name);
  return found;
}
