import { ConfigError } from '../../errors.ts';
import { inspectPath } from '../../memory/backing/file-facts.ts';
import type { BackingSpec, FileSpec, MemoryPolicy } from '../../memory/backing/spec.ts';
import { defaultHugePageSize } from '../../memory/backing/huge-pages.ts';
import { isPowerOfTwo, PAGE_SIZE } from '../../units.ts';
import { checkId } from './ids.ts';
import { KeyValues } from './key-values.ts';

const OPTION = '--memory-backend';
const TYPES = ['ram', 'memfd', 'file', 'devmem'] as const;
const POLICIES: readonly MemoryPolicy[] = ['default', 'bind', 'preferred', 'interleave'];
const MAX_THREADS = 1024;
/** The kernel is not built for more. */
const MAX_NODES = 1024;

/** What decides which keys make sense together. */
interface Kind {
  readonly type: BackingSpec['type'];
  readonly share: boolean;
  readonly huge: boolean;
  /** Whether all of it is always there: memory that the kernel hands to nobody else. */
  readonly isDevice?: boolean;
}

type Common = Omit<BackingSpec, 'type' | 'size'>;

function parseCommon(keys: KeyValues, kind: Kind): Common {
  const id = keys.string('id');
  if (id === undefined)
    throw new ConfigError('BAD_OPTION', `${OPTION} ${kind.type}: id is missing`);
  checkId(`${OPTION} ${kind.type}`, id);
  const common = {
    id,
    share: kind.share,
    prealloc: keys.flag('prealloc') ?? false,
    preallocThreads: keys.count('prealloc-threads') ?? 1,
    reserve: keys.flag('reserve'),
    // Whoever takes it says so.
    sparse: false,
    thp: keys.flag('thp'),
    merge: keys.flag('merge') ?? false,
    dump: keys.flag('dump') ?? true,
    policy: keys.choice('policy', POLICIES) ?? 'default',
    hostNodes: keys.numbers('host-nodes', MAX_NODES) ?? [],
  };
  const { preallocThreads: threads } = common;
  if (threads < 1 || threads > MAX_THREADS) {
    keys.refuse('prealloc-threads', `must be from 1 to ${MAX_THREADS}`);
  }
  if (kind.isDevice === true) checkDevice(keys);
  checkNodes(keys, common.policy, common.hostNodes);
  checkKind(keys, kind, common);
  return common;
}

/** What only memory has that is allocated, and part of a core dump, page by page. */
function checkDevice(keys: KeyValues): void {
  for (const key of ['prealloc', 'prealloc-threads'] as const) {
    if (keys.string(key) !== undefined) {
      keys.refuse(key, 'does not apply to memory that is always there');
    }
  }
  if (keys.string('dump') !== undefined) {
    keys.refuse('dump', 'does not apply to memory of a device, which core dumps leave out');
  }
}

function checkNodes(keys: KeyValues, policy: MemoryPolicy, nodes: readonly number[]): void {
  if (policy === 'default' && nodes.length > 0) {
    keys.refuse('host-nodes', 'say how to use them: policy=bind, preferred or interleave');
  }
  if (policy !== 'default' && nodes.length === 0) {
    keys.refuse('policy', 'say which nodes: host-nodes=0-1');
  }
}

/** Keys that would be without effect on this kind of memory are refused, not ignored. */
function checkKind(keys: KeyValues, kind: Kind, common: Common): void {
  const { type, share, huge } = kind;
  if (huge && common.thp !== undefined) keys.refuse('thp', 'hugetlb pages are huge already');
  if (common.merge && (share || huge)) {
    keys.refuse(
      'merge',
      'KSM merges private memory of base pages only; leave share and hugetlb off',
    );
  }
  if (type === 'devmem') {
    const none = 'does not apply to memory that the kernel does not manage';
    if (common.thp !== undefined) keys.refuse('thp', none);
    if (common.reserve !== undefined) keys.refuse('reserve', none);
    if (common.policy !== 'default') keys.refuse('policy', none);
  }
}

/** Sizes of what is mapped anew each time must be given; a file may know its own. */
function requiredSize(keys: KeyValues, type: string): number {
  const size = keys.size('size');
  if (size === undefined) throw new ConfigError('BAD_OPTION', `${OPTION} ${type}: size is missing`);
  return checkedSize(keys, size);
}

function checkedSize(keys: KeyValues, size: number): number {
  if (size === 0) keys.refuse('size', 'a backend needs memory');
  if (size % PAGE_SIZE !== 0) keys.refuse('size', `not a multiple of the page size, ${PAGE_SIZE}`);
  return size;
}

function parseMemfd(keys: KeyValues): BackingSpec {
  const type = 'memfd';
  const hugetlb = keys.flag('hugetlb') ?? false;
  const given = keys.size('hugetlbsize');
  if (given !== undefined && !hugetlb) keys.refuse('hugetlbsize', 'only with hugetlb=on');
  if (given !== undefined && !isPowerOfTwo(given)) keys.refuse('hugetlbsize', 'not a power of two');
  const common = parseCommon(keys, { type, share: keys.flag('share') ?? true, huge: hugetlb });
  const hugePageSize = hugetlb ? (given ?? defaultHugePageSize()) : 0;
  const seal = keys.flag('seal') ?? true;
  return { type, ...common, size: requiredSize(keys, type), hugePageSize, seal };
}

function parseFile(keys: KeyValues): FileSpec {
  const type = 'file';
  const path = keys.string('mem-path');
  if (path === undefined)
    throw new ConfigError('BAD_OPTION', `${OPTION} file: mem-path is missing`);
  const facts = inspectPath(path);
  const huge = facts.pageSize > PAGE_SIZE && facts.kind !== 'device-dax';
  const share = keys.flag('share') ?? false;
  const isDevice = facts.kind === 'device-dax';
  const common = parseCommon(keys, { type, share, huge, isDevice });
  const offset = keys.size('offset') ?? 0;
  const given = keys.size('size');
  if (given === undefined && facts.size === 0) {
    throw new ConfigError('BAD_OPTION', `${OPTION} file: size is missing, and ${path} has none`);
  }
  if (given === undefined && facts.size <= offset) {
    keys.refuse('offset', `${path} ends at ${facts.size} bytes; give a size to make it longer`);
  }
  const size = checkedSize(keys, given ?? facts.size - offset);
  const align = keys.size('align');
  return { type, ...common, size, path, offset, align, readonly: keys.flag('readonly') ?? false };
}

function parseDevmem(keys: KeyValues): BackingSpec {
  const type = 'devmem';
  if (keys.flag('share') === false) keys.refuse('share', 'host-physical memory is always shared');
  const common = parseCommon(keys, { type, share: true, huge: false, isDevice: true });
  const base = keys.size('base');
  if (base === undefined) throw new ConfigError('BAD_OPTION', `${OPTION} devmem: base is missing`);
  if (base % PAGE_SIZE !== 0) keys.refuse('base', `not a multiple of the page size, ${PAGE_SIZE}`);
  return { type, ...common, size: requiredSize(keys, type), base };
}

function parseRam(keys: KeyValues): BackingSpec {
  const type = 'ram';
  const common = parseCommon(keys, { type, share: keys.flag('share') ?? false, huge: false });
  return { type, ...common, size: requiredSize(keys, type) };
}

const PARSERS = { ram: parseRam, memfd: parseMemfd, file: parseFile, devmem: parseDevmem };

/**
 * Parses one `--memory-backend` option: `TYPE,key=value,…`. Looks at the host where the option
 * names a file.
 *
 * @throws ConfigError naming the key and the value
 */
export function parseMemoryBackend(text: string): BackingSpec {
  const comma = text.indexOf(',');
  const name = comma < 0 ? text : text.slice(0, comma);
  const type = TYPES.find((it) => it === name);
  if (type === undefined) {
    const message = `${OPTION} ${text}: unknown type ${name}; write ${TYPES.join(', ')}, then ,id=ID,…`;
    throw new ConfigError('BAD_OPTION', message);
  }
  const rest = comma < 0 ? '' : text.slice(comma + 1);
  const keys = new KeyValues(`${OPTION} ${type}`, rest, ['host-nodes']);
  const spec = PARSERS[type](keys);
  keys.done();
  return spec;
}

/** Parses all of them. @throws ConfigError also when two have the same id */
export function parseMemoryBackends(texts: readonly string[]): readonly BackingSpec[] {
  const specs = texts.map(parseMemoryBackend);
  const ids = new Set<string>();
  for (const { id } of specs) {
    if (ids.has(id)) {
      throw new ConfigError('BAD_OPTION', `${OPTION} id=${id}: two backends have this id`);
    }
    ids.add(id);
  }
  return specs;
}
