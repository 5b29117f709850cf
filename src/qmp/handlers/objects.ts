import type { ObjectProperty, PropertyType, PropertyValue } from '../../machine/control.ts';
import type { ObjectNode } from '../../monitor/object-tree.ts';
import { GPA_LIMIT } from '../../units.ts';
import { genericError, quoted } from '../error.ts';
import type { JsonValue } from '../json/value.ts';
import { findObject } from './arguments.ts';
import type { Handlers } from './handler.ts';
import { isA, objectTypes } from './object-types.ts';

/** What the protocol calls the types of properties. */
const TYPE_NAMES: Readonly<Record<PropertyType, string>> = {
  size: 'size',
  int: 'int',
  bool: 'bool',
  string: 'str',
};

function findProperty(node: ObjectNode, name: string): ObjectProperty {
  const found = node.properties.find((property) => property.name === name);
  if (found === undefined)
    throw genericError(`Property ${quoted(`${node.type}.${name}`)} not found`);
  return found;
}

function checkNumber(name: string, value: JsonValue): number {
  // An integer that a number cannot hold comes as a bigint.
  if (typeof value === 'bigint' && value > 0n) {
    throw genericError(`Parameter ${quoted(name)} is larger than ${GPA_LIMIT}`);
  }
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw genericError(`Parameter ${quoted(name)} expects uint64`);
}

function checkValue({ name, type }: ObjectProperty, value: JsonValue): PropertyValue {
  const wrong = (expected: string): never => {
    throw genericError(`Invalid parameter type for ${quoted(name)}, expected: ${expected}`);
  };
  switch (type) {
    case 'size':
    case 'int':
      return checkNumber(name, value);
    case 'bool':
      return typeof value === 'boolean' ? value : wrong('boolean');
    case 'string':
      return typeof value === 'string' ? value : wrong('string');
  }
}

export const objectHandlers: Handlers<'qom-list' | 'qom-list-types' | 'qom-get' | 'qom-set'> = {
  'qom-list': ({ path }, context) => {
    const node = findObject(context, path);
    return [
      { name: 'type', type: 'string' },
      ...node.properties.map(({ name, type }) => ({ name, type: TYPE_NAMES[type] })),
      ...Array.from(node.children, ([name, { type }]) => ({ name, type: `child<${type}>` })),
    ];
  },

  'qom-list-types': ({ implements: base, abstract: withAbstract }, { control }) =>
    objectTypes(control.objects())
      .filter((type) => withAbstract === true || type.abstract !== true)
      .filter((type) => base === undefined || isA(type.name, base))
      .map((type) => ({ ...type })),

  'qom-get': ({ path, property }, context) => {
    const node = findObject(context, path);
    if (property === 'type') return node.type;
    return node.children.get(property)?.path ?? findProperty(node, property).value;
  },

  'qom-set': async ({ path, property: name, value }, context) => {
    const node = findObject(context, path);
    const isFixed = name === 'type' || node.children.has(name);
    const property = isFixed ? undefined : findProperty(node, name);
    if (property?.writable !== true) {
      throw genericError(`Property ${quoted(`${node.type}.${name}`)} is not writable`);
    }
    await context.control.setProperty(node.path, name, checkValue(property, value));
    return {};
  },
};
