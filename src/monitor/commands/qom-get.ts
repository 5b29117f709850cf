import type { MonitorCommand } from '../command.ts';
import { findObject, findProperty, objectTree } from '../object-tree.ts';

export const qomGet: MonitorCommand = {
  name: 'qom-get',
  parameters: [
    { name: 'path', kind: 'path' },
    { name: 'property', kind: 'property' },
  ],
  summary: "show one of an object's properties, as JSON",
  run: (args, { control }) => {
    const node = findObject(objectTree(control.objects()), args.required('path'));
    const name = args.required('property');
    const value = name === 'type' ? node.type : findProperty(node, name).value;
    return `${JSON.stringify(value)}\n`;
  },
};
