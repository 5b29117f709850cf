import { readFileSync } from 'node:fs';
import type { NativeMapping } from '../../kvm/addon.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { log } from '../../log.ts';
import { memoryNodes } from './host-nodes.ts';
import type { BackingSpec, MemoryPolicy } from './spec.ts';

/** madvise(2). */
const MADV_MERGEABLE = 12;
const MADV_HUGEPAGE = 14;
const MADV_NOHUGEPAGE = 15;
const MADV_DONTDUMP = 16;

/** mbind(2). */
const MPOL_PREFERRED_MANY = 5;
const MODES: Readonly<Record<MemoryPolicy, number>> = {
  default: 0,
  preferred: 1,
  bind: 2,
  interleave: 3,
};
/** MPOL_MF_STRICT | MPOL_MF_MOVE: pages that a file has already move, or it fails. */
const MBIND_FLAGS = 3;

function setting(path: string): string {
  try {
    return /\[(.*)\]/.exec(readFileSync(path, 'utf8'))?.[1] ?? readFileSync(path, 'utf8').trim();
  } catch {
    return 'missing';
  }
}

/** What was asked for and will do nothing as the kernel is set: better said than wondered about. */
function warnOfNoEffect(spec: BackingSpec, anonymous: boolean): void {
  const warn = (fields: object, message: string): void => log('memory').warn(fields, message);
  if (spec.thp === true) {
    const name = anonymous ? 'enabled' : 'shmem_enabled';
    const path = `/sys/kernel/mm/transparent_hugepage/${name}`;
    const value = setting(path);
    if (['never', 'deny', 'missing'].includes(value)) {
      warn({ id: spec.id, path, value }, 'thp=on has no effect: the kernel is set against it');
    }
  }
  if (spec.merge && setting('/sys/kernel/mm/ksm/run') !== '1') {
    warn({ id: spec.id }, 'merge=on has no effect until /sys/kernel/mm/ksm/run is 1');
  }
}

function setPolicy(mapping: NativeMapping, spec: BackingSpec): void {
  const { id, policy, hostNodes } = spec;
  const known = memoryNodes();
  const missing = hostNodes.find((node) => !known.includes(node));
  if (missing !== undefined) {
    const message = `--memory-backend id=${id}: host-nodes=${missing}: the host has memory on the nodes ${known.join(', ')}`;
    throw new ConfigError('BAD_BACKEND', message);
  }
  const many = policy === 'preferred' && hostNodes.length > 1;
  try {
    const mode = many ? MPOL_PREFERRED_MANY : MODES[policy];
    mapping.setPolicy(mode, MBIND_FLAGS, Uint32Array.from(hostNodes));
  } catch (cause) {
    const message = `memory backend ${id}: policy=${policy} on host nodes ${hostNodes.join(', ')}: ${messageOf(cause)}`;
    throw new HostError('POLICY_FAILED', message, { cause });
  }
}

/**
 * Tells the kernel what was asked for this memory, before any of it is allocated.
 *
 * @param anonymous  whether its pages are private to the process
 * @throws ConfigError, HostError
 */
export function adviseMemory(mapping: NativeMapping, spec: BackingSpec, anonymous: boolean): void {
  const advise = (key: string, advice: number): void => {
    try {
      mapping.advise(0, mapping.size, advice);
    } catch (cause) {
      const message = `memory backend ${spec.id}: ${key}: this kernel cannot: ${messageOf(cause)}`;
      throw new HostError('ADVICE_FAILED', message, { cause });
    }
  };
  warnOfNoEffect(spec, anonymous);
  if (spec.thp === true) advise('thp=on', MADV_HUGEPAGE);
  if (spec.thp === false) advise('thp=off', MADV_NOHUGEPAGE);
  if (spec.merge) advise('merge=on', MADV_MERGEABLE);
  if (!spec.dump) advise('dump=off', MADV_DONTDUMP);
  if (spec.policy !== 'default') setPolicy(mapping, spec);
}
