import { readFileSync } from 'node:fs';
import type { NativeMapping } from '../../kvm/addon.ts';
import { ConfigError, errorCode, HostError, messageOf } from '../../errors.ts';
import { log } from '../../log.ts';
import { memoryNodes } from './host-nodes.ts';
import type { BackingSpec, MemoryPolicy } from './spec.ts';
import { thpTrouble, wantsThp } from './thp.ts';

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

/** The kernel lets every process set its own policy: only a filter of system calls refuses that. */
const NOT_PERMITTED =
  ': a seccomp profile forbids it; those of containers allow it with the capability CAP_SYS_NICE (--cap-add SYS_NICE)';

function isKsmRunning(): boolean {
  try {
    return readFileSync('/sys/kernel/mm/ksm/run', 'utf8').trim() === '1';
  } catch {
    return false;
  }
}

/** What was asked for and will do nothing as the kernel is set: better said than wondered about. */
function warnOfNoEffect(spec: BackingSpec): void {
  const { id } = spec;
  const why = spec.thp === true ? thpTrouble(spec) : undefined;
  if (why !== undefined) log('memory').warn({ id, why }, 'thp=on has no effect');
  if (spec.merge && !isKsmRunning()) {
    log('memory').warn({ id }, 'merge=on has no effect until /sys/kernel/mm/ksm/run is 1');
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
    const what = `memory backend ${id}: policy=${policy} on host nodes ${hostNodes.join(', ')}`;
    const message = `${what}: ${messageOf(cause)}${errorCode(cause) === 'EPERM' ? NOT_PERMITTED : ''}`;
    throw new HostError('POLICY_FAILED', message, { cause });
  }
}

/** Huge pages, or none, as is usual for this memory. */
function adviseUsualThp(mapping: NativeMapping, spec: BackingSpec): void {
  const wants = wantsThp(spec);
  if (wants === undefined) return;
  try {
    mapping.advise(0, mapping.size, wants ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  } catch {
    // A kernel that is built without them has no other way than base pages.
  }
}

/**
 * Tells the kernel what was asked for this memory, before any of it is allocated.
 *
 * @throws ConfigError, HostError
 */
export function adviseMemory(mapping: NativeMapping, spec: BackingSpec): void {
  const advise = (key: string, advice: number): void => {
    try {
      mapping.advise(0, mapping.size, advice);
    } catch (cause) {
      const message = `memory backend ${spec.id}: ${key}: this kernel cannot: ${messageOf(cause)}`;
      throw new HostError('ADVICE_FAILED', message, { cause });
    }
  };
  warnOfNoEffect(spec);
  if (spec.thp === undefined) adviseUsualThp(mapping, spec);
  else if (spec.thp) advise('thp=on', MADV_HUGEPAGE);
  else advise('thp=off', MADV_NOHUGEPAGE);
  if (spec.merge) advise('merge=on', MADV_MERGEABLE);
  if (!spec.dump) advise('dump=off', MADV_DONTDUMP);
  if (spec.policy !== 'default') setPolicy(mapping, spec);
}
