import type { ObjectInfo } from '../../machine/control.ts';

/** A type of objects: its parent, and whether no object is just that. */
export interface TypeInfo {
  readonly name: string;
  readonly abstract?: true;
  readonly parent?: string;
}

/** What the types of a machine's objects are derived from. */
const KNOWN: readonly TypeInfo[] = [
  { name: 'object', abstract: true },
  { name: 'container', parent: 'object' },
  { name: 'device', abstract: true, parent: 'object' },
  { name: 'cpu', abstract: true, parent: 'device' },
  { name: 'x86_64-cpu', parent: 'cpu' },
  { name: 'pci-device', abstract: true, parent: 'device' },
  { name: 'virtio-mem-pci', parent: 'pci-device' },
  { name: 'memory-backend', abstract: true, parent: 'object' },
  { name: 'memory-backend-ram', parent: 'memory-backend' },
  { name: 'memory-backend-memfd', parent: 'memory-backend' },
  { name: 'memory-backend-file', parent: 'memory-backend' },
  { name: 'memory-backend-devmem', parent: 'memory-backend' },
];

const BY_NAME: ReadonlyMap<string, TypeInfo> = new Map(KNOWN.map((type) => [type.name, type]));

/** The types that there are, and those of the objects that derive from `object` alone. */
export function objectTypes(objects: readonly ObjectInfo[]): readonly TypeInfo[] {
  const others = new Set(objects.map(({ type }) => type).filter((type) => !BY_NAME.has(type)));
  return [...KNOWN, ...Array.from(others, (name) => ({ name, parent: 'object' }))];
}

/** Whether objects of a type are of type `base` too. */
export function isA(type: string, base: string): boolean {
  if (type === base || base === 'object') return true;
  const parent = BY_NAME.get(type)?.parent;
  return parent !== undefined && isA(parent, base);
}
