import { any, bool, listOf, object, oneOf, optional, str, union } from './type.ts';

const Member = object({ name: str, type: str, default: optional(any) });

/** How `query-qmp-schema` describes an entity of the schema. */
export const SchemaInfo = union(
  'meta-type',
  { name: str, 'meta-type': oneOf('builtin', 'enum', 'array', 'object', 'command', 'event') },
  {
    builtin: object({ 'json-type': oneOf('string', 'int', 'boolean', 'value') }),
    enum: object({ members: listOf(object({ name: str })), values: listOf(str) }),
    array: object({ 'element-type': str }),
    object: object({
      members: listOf(Member),
      tag: optional(str),
      variants: optional(listOf(object({ case: str, type: str }))),
    }),
    command: object({ 'arg-type': str, 'ret-type': str, 'allow-oob': optional(bool) }),
    event: object({ 'arg-type': str }),
  },
);
