import { ConfigError } from '../errors.ts';
import type { ObjectInfo, ObjectProperty } from '../machine/control.ts';
import { printable } from './text.ts';

/** An object, or a container on the way to one. */
export interface ObjectNode {
  /** Absolute; `/` for the root. */
  readonly path: string;
  readonly type: string;
  readonly properties: readonly ObjectProperty[];
  /** By the last part of their paths. */
  readonly children: ReadonlyMap<string, ObjectNode>;
}

interface GrowingNode extends ObjectNode {
  type: string;
  properties: readonly ObjectProperty[];
  readonly children: Map<string, GrowingNode>;
}

function newContainer(path: string): GrowingNode {
  return { path, type: 'container', properties: [], children: new Map() };
}

function childOf(parent: GrowingNode, name: string): GrowingNode {
  const found = parent.children.get(name);
  if (found !== undefined) return found;
  const child = newContainer(parent.path === '/' ? `/${name}` : `${parent.path}/${name}`);
  parent.children.set(name, child);
  return child;
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

/** The machine's objects as the tree that their paths spell. */
export function objectTree(objects: readonly ObjectInfo[]): ObjectNode {
  const root = newContainer('/');
  for (const object of objects) {
    const node = partsOf(object.path).reduce(childOf, root);
    node.type = object.type;
    node.properties = object.properties;
  }
  return root;
}

function descend(root: ObjectNode, path: string): ObjectNode | undefined {
  let node: ObjectNode | undefined = root;
  for (const part of partsOf(path)) node = node?.children.get(part);
  return node;
}

/** Every node below, in the order of the tree. */
export function descendants(node: ObjectNode): ObjectNode[] {
  return [...node.children.values()].flatMap((child) => [child, ...descendants(child)]);
}

/**
 * Finds an object by its absolute path, or by any end of it: `vm0` for `/machine/peripheral/vm0`.
 *
 * @throws ConfigError when there is none, or more than one
 */
export function findObject(root: ObjectNode, name: string): ObjectNode {
  const candidates = name.startsWith('/')
    ? [descend(root, name)]
    : descendants(root).filter((node) => node.path.endsWith(`/${name}`));
  const [found, other] = candidates;
  if (found === undefined || name === '') {
    throw new ConfigError('NO_OBJECT', `there is no object '${printable(name)}'; try qom-list`);
  }
  if (other !== undefined) {
    throw new ConfigError(
      'NO_OBJECT',
      `'${printable(name)}' may be ${found.path} or ${other.path}; give more of the path`,
    );
  }
  return found;
}

/** @throws ConfigError when the object has no such property */
export function findProperty(node: ObjectNode, name: string): ObjectProperty {
  const found = node.properties.find((property) => property.name === name);
  if (found !== undefined) return found;
  throw new ConfigError('NO_PROPERTY', `${node.path} has no property '${printable(name)}'`);
}
