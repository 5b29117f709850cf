import type { MonitorCommand } from '../command.ts';
import { findObject, objectTree, type ObjectNode } from '../object-tree.ts';
import { lines } from '../text.ts';

function describeNode(name: string, node: ObjectNode, depth: number): string[] {
  return [
    `${'  '.repeat(depth)}/${name} (${node.type})`,
    ...[...node.children].flatMap(([child, below]) => describeNode(child, below, depth + 1)),
  ];
}

export const infoQomTree: MonitorCommand = {
  name: 'info qom-tree',
  parameters: [{ name: 'path', optional: true, kind: 'path' }],
  summary: 'show the objects as a tree, all (/machine without a path) or those below one',
  run: (args, { control }) => {
    const tree = objectTree(control.objects());
    const node = findObject(tree, args.optional('path') ?? '/machine');
    return lines(describeNode(node.path.slice(1), node, 0));
  },
};
