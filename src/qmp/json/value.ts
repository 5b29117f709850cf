/** A JSON object; without a prototype when it was parsed, so that every name is a plain member. */
export interface JsonObject {
  readonly [name: string]: JsonValue | undefined;
}

/** A JSON value. An integer that a number would round is a bigint: ids must come back unchanged. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | JsonObject;

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
