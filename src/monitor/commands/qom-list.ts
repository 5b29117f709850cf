import type { MonitorCommand } from '../command.ts';
import { findObject, objectTree } from '../object-tree.ts';
import { lines } from '../text.ts';

export const qomList: MonitorCommand = {
  name: 'qom-list',
  parameters: [{ name: 'path', optional: true, kind: 'path' }],
  summary: "list an object's properties and children (the root's without a path)",
  run: (args, { control }) => {
    const node = findObject(objectTree(control.objects()), args.optional('path') ?? '/');
    return lines([
      'type (string)',
      ...node.properties.map(({ name, type }) => `${name} (${type})`),
      ...[...node.children].map(([name, child]) => `${name} (child<${child.type}>)`),
    ]);
  },
};
