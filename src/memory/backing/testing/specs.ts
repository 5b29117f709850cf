import type { BackingSpec, FileSpec, MemfdSpec, RamSpec } from '../spec.ts';

type Common = Omit<RamSpec, 'type'>;

export const common: Common = {
  id: 'test',
  size: 16 * 2 ** 20,
  share: false,
  prealloc: false,
  preallocThreads: 1,
  reserve: undefined,
  sparse: true,
  thp: undefined,
  merge: false,
  dump: true,
  policy: 'default',
  hostNodes: [],
};

export function ramSpec(changes: Partial<RamSpec> = {}): BackingSpec {
  return { ...common, type: 'ram', ...changes };
}

export function memfdSpec(changes: Partial<MemfdSpec> = {}): BackingSpec {
  return { ...common, share: true, type: 'memfd', hugePageSize: 0, seal: true, ...changes };
}

export function fileSpec(path: string, changes: Partial<FileSpec> = {}): BackingSpec {
  return {
    ...common,
    type: 'file',
    path,
    offset: 0,
    align: undefined,
    readonly: false,
    ...changes,
  };
}
