import { GuestError } from '../errors.ts';
import type { VcpuExit } from '../kvm/exit.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import { diagnose, isMemoryFailure, isTripleFault } from './guest-fault.ts';
import type { MemoryBackends } from './memory-backends.ts';
import type { UnpluggedGuard } from './violations/unplugged-guard.ts';

/** What becomes of a machine after an exit that no device answers. The vCPU is to be resumed. */
export type Verdict =
  | { readonly kind: 'go-on' }
  | { readonly kind: 'reset'; readonly cause: string }
  | { readonly kind: 'end'; readonly error: unknown };

export interface Witnesses {
  readonly memory: GuestMemoryAccess;
  readonly backends: Pick<MemoryBackends, 'trouble'>;
  readonly guard: Pick<UnpluggedGuard, 'settle'>;
}

/** Finds out what an exit means. */
export function judgeExit(vcpu: Vcpu, exit: VcpuExit, witnesses: Witnesses): Verdict {
  const { memory, backends, guard } = witnesses;
  if (isTripleFault(exit)) return { kind: 'reset', cause: 'triple fault' };
  if (guard.settle(vcpu, exit)) return { kind: 'go-on' };
  const failure = isMemoryFailure(exit) ? backends.trouble() : undefined;
  if (failure !== undefined) return { kind: 'end', error: failure };
  const report = diagnose(vcpu, exit, memory);
  return { kind: 'end', error: new GuestError('GUEST_FAULT', report[0] ?? '', report) };
}
