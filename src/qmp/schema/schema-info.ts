import { any, bool, listOf, object, oneOf, optional, str, union } from './type.ts';

const Member = object({ name: str, type: str, default: optional(any) });

const META_TYPES = ['builtin', 'enum', 'array', 'object', 'alternate', 'command', 'event'] as const;

/** How `query-qmp-schema` describes an entity of the schema. */
export const SchemaInfo = union(
  'meta-type',
  { name: str, 'meta-type': oneOf(...META_TYPES) },
  {
    builtin: object({ 'json-type': oneOf('string', 'int', 'boolean', 'value') }),
    enum: object({ members: listOf(object({ name: str })), values: listOf(str) }),
    array: object({ 'element-type': str }),
    object: object({
      members: listOf(Member),
      tag: optional(str),
      variants: optional(listOf(object({ case: str, type: str }))),
    }),
    alternate: object({ members: listOf(object({ type: str })) }),
    command: object({ 'arg-type': str, 'ret-type': str, 'allow-oob': bool }),
    event: object({ 'arg-type': str }),
  },
);
