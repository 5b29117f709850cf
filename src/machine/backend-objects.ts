import type { BackingSpec } from '../memory/backing/spec.ts';
import { describeThp, wantsThp } from '../memory/backing/thp.ts';
import { hex } from '../units.ts';
import type { MemoryBackendInfo, NamedValue, ObjectInfo, ObjectProperty } from './control.ts';
import { backendPath, type MemoryBackend } from './memory-backends.ts';
import { fixed } from './memory-objects.ts';

/** Nodes as they are written: `0-2,5`. */
export function formatNodes(nodes: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const node of nodes) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === node - 1) run[1] = node;
    else runs.push([node, node]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** Where the memory comes from, by the names of its keys. */
function source(spec: BackingSpec): readonly NamedValue[] {
  switch (spec.type) {
    case 'ram':
      return [];
    case 'memfd':
      return spec.hugePageSize === 0 ? [] : [{ name: 'hugetlbsize', value: spec.hugePageSize }];
    case 'file':
      return [
        { name: 'mem-path', value: spec.path },
        { name: 'offset', value: spec.offset },
      ];
    case 'devmem':
      return [{ name: 'base', value: hex(spec.base) }];
  }
}

function thp(spec: BackingSpec): readonly NamedValue[] {
  const value = describeThp(spec);
  return value === undefined ? [] : [{ name: 'thp', value }];
}

/** What `info memdev` says of a backend. */
export function backendInfo(backend: MemoryBackend): MemoryBackendInfo {
  const { id, spec, backing, reserved, user } = backend;
  const { merge, dump, prealloc, share, policy, hostNodes } = spec;
  const { pageSize, sharedZeropage, frees, discardMethod, populateCanFail } = backing;
  const discard = frees
    ? `gives memory back (${discardMethod})`
    : 'cannot give memory back, fills it with zeros';
  return {
    id,
    size: backing.size,
    merge,
    dump,
    prealloc,
    share,
    reserve: reserved,
    policy,
    hostNodes: formatNodes(hostNodes),
    more: [
      { name: 'type', value: spec.type },
      ...source(spec),
      { name: 'page size', value: pageSize },
      ...thp(spec),
      { name: 'shared zeropage', value: sharedZeropage },
      { name: 'discard', value: discard },
      { name: 'populate', value: populateCanFail ? 'can fail' : 'always there' },
      { name: 'user', value: user ?? 'nobody' },
    ],
  };
}

function property(name: string, value: NamedValue['value']): ObjectProperty {
  if (typeof value === 'boolean') return fixed(name, 'bool', value);
  return fixed(name, typeof value === 'number' ? 'int' : 'string', value);
}

/** A backend as an object with properties. */
export function backendObject(backend: MemoryBackend): ObjectInfo {
  const { id, spec, backing, reserved } = backend;
  const own = [...source(spec)];
  if (spec.type === 'memfd') own.push({ name: 'seal', value: spec.seal });
  if (spec.type === 'file') own.push({ name: 'readonly', value: spec.readonly });
  if (spec.type === 'file' && spec.align !== undefined) {
    own.push({ name: 'align', value: spec.align });
  }
  const wants = wantsThp(spec);
  if (wants !== undefined) own.push({ name: 'thp', value: wants });
  const properties = [
    ...own.map(({ name, value }) => property(name, value)),
    fixed('dump', 'bool', spec.dump),
    fixed('host-nodes', 'string', formatNodes(spec.hostNodes)),
    fixed('merge', 'bool', spec.merge),
    fixed('page-size', 'size', backing.pageSize),
    fixed('policy', 'string', spec.policy),
    fixed('prealloc', 'bool', spec.prealloc),
    fixed('prealloc-threads', 'int', spec.preallocThreads),
    fixed('reserve', 'bool', reserved),
    fixed('share', 'bool', spec.share),
    fixed('size', 'size', backing.size),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { path: backendPath(id), type: `memory-backend-${spec.type}`, properties };
}
