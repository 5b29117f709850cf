import { ConfigError } from '../../errors.ts';
import type { ObjectProperty, PropertyValue } from '../../machine/control.ts';
import { parseSize } from '../../units.ts';
import type { MonitorCommand } from '../command.ts';
import { findObject, findProperty, objectTree } from '../object-tree.ts';

function parseInteger(name: string, text: string): number {
  const value = /^(?:\d{1,16}|0x[0-9a-f]{1,14})$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new ConfigError('BAD_VALUE', `${name}=${text}: not a whole number`);
}

function parseBoolean(name: string, text: string): boolean {
  if (['on', 'true', 'yes'].includes(text)) return true;
  if (['off', 'false', 'no'].includes(text)) return false;
  throw new ConfigError('BAD_VALUE', `${name}=${text}: must be on or off`);
}

function parseValue({ name, type }: ObjectProperty, text: string): PropertyValue {
  switch (type) {
    case 'size':
      return parseSize(text, name);
    case 'int':
      return parseInteger(name, text);
    case 'bool':
      return parseBoolean(name, text);
    case 'string':
      return text;
  }
}

export const qomSet: MonitorCommand = {
  name: 'qom-set',
  parameters: [
    { name: 'path', kind: 'path' },
    { name: 'property', kind: 'writable-property' },
    { name: 'value', kind: 'property-value' },
  ],
  summary: "set one of an object's properties, as: qom-set vm0 requested-size 500M",
  run: async (args, { control }) => {
    const node = findObject(objectTree(control.objects()), args.required('path'));
    const property = findProperty(node, args.required('property'));
    if (!property.writable) {
      throw new ConfigError(
        'READ_ONLY',
        `property '${property.name}' of ${node.path} is read-only`,
      );
    }
    await control.setProperty(
      node.path,
      property.name,
      parseValue(property, args.required('value')),
    );
    return '';
  },
};
