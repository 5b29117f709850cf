import { RUN_OPTIONS } from './table.ts';
import type { KeyedType, Keys, RunOption, Scalar } from './value.ts';

type Schema = Readonly<Record<string, unknown>>;

const INTEGER: Schema = { type: 'integer', minimum: 0 };
const SIZE_TEXT = '^(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}(\\.[0-9]{1,20})?[KkMmGgTt]?([iI]?[bB])?)$';
const LINE = '^[^\\r\\n]*$';
const ON_OFF: readonly unknown[] = [true, false, 'on', 'off'];

function numbersSchema(): Schema {
  const one: readonly Schema[] = [
    INTEGER,
    { type: 'string', pattern: '^[0-9]{1,5}(-[0-9]{1,5})?$' },
  ];
  return { anyOf: [...one, { type: 'array', minItems: 1, items: { anyOf: one } }] };
}

function scalarSchema(scalar: Scalar): Schema {
  if (typeof scalar === 'object') {
    return { enum: scalar.includes('on') ? [...scalar, true, false] : scalar };
  }
  switch (scalar) {
    case 'text':
      return { type: 'string', pattern: LINE };
    case 'path':
    case 'where':
      return { type: 'string', minLength: 1 };
    case 'size':
      return { anyOf: [INTEGER, { type: 'string', pattern: SIZE_TEXT }] };
    case 'count':
      return INTEGER;
    case 'flag':
      return { enum: ON_OFF };
    case 'numbers':
      return numbersSchema();
  }
}

function keysSchema(keys: Keys, type?: string, required: readonly string[] = []): Schema {
  const properties = Object.entries(keys).map(([name, { value, help }]) => {
    return [name, { description: help, ...scalarSchema(value) }] as const;
  });
  const first = type === undefined ? [] : [['type', { const: type }] as const];
  return {
    type: 'object',
    properties: Object.fromEntries([...first, ...properties]),
    required: type === undefined ? required : ['type', ...required],
    additionalProperties: false,
  };
}

function typesSchema(types: Readonly<Record<string, KeyedType>>): Schema {
  const each = Object.entries(types).map(([name, { help, keys, required }]) => {
    return { description: help, ...keysSchema(keys, name, required) };
  });
  return { oneOf: each };
}

function optionSchema({ help, scalar, keys, types, repeats }: RunOption): Schema {
  const forms = [
    ...(scalar === undefined ? [] : [scalarSchema(scalar)]),
    ...(keys === undefined ? [] : [keysSchema(keys)]),
    ...(types === undefined ? [] : [typesSchema(types)]),
  ];
  const [only = {}] = forms;
  const value = forms.length === 1 ? only : { anyOf: forms };
  // On the command line there is more to see below.
  const description = help.replace(/; see below$/, '');
  return repeats === true
    ? { description, type: 'array', items: value }
    : { description, ...value };
}

/** The JSON schema of a configuration file, from nothing but the table of options. */
export function configSchema(): Schema {
  const properties = RUN_OPTIONS.map((option) => [option.name, optionSchema(option)] as const);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Machine of tsvmm',
    description: 'What tsvmm run --config and tsvmm plan --config read, as JSON or YAML.',
    type: 'object',
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(properties) },
    additionalProperties: false,
  };
}
