import { hex } from '../units.ts';
import { EXIT_KIND, KVM_EXIT, type VcpuExit } from './exit.ts';

/** KVM API 5, `internal.suberror`. */
const SUBERRORS: Readonly<Record<number, string>> = {
  1: 'emulation failure',
  2: 'exception while delivering an exception',
  3: 'exception during the delivery of an event',
  4: 'unexpected exit reason of the processor',
};
const EMULATION = 1;
/** `emulation_failure.flags`: the instruction follows. */
const HAS_INSTRUCTION = 1n;

const REASONS: Readonly<Record<number, string>> = {
  [KVM_EXIT.UNKNOWN]: 'unknown hardware exit',
  [KVM_EXIT.EXCEPTION]: 'exception',
  [KVM_EXIT.HYPERCALL]: 'hypercall',
  [KVM_EXIT.DEBUG]: 'debug event',
  [KVM_EXIT.HLT]: 'halt without an interrupt controller',
  [KVM_EXIT.SHUTDOWN]: 'triple fault',
  [KVM_EXIT.FAIL_ENTRY]: 'the processor refused to enter the guest',
  [KVM_EXIT.SYSTEM_EVENT]: 'system event',
  [KVM_EXIT.MEMORY_FAULT]: 'memory fault',
};

/** KVM could not emulate an instruction. */
export function isEmulationFailure(exit: VcpuExit): boolean {
  return exit.reason === KVM_EXIT.INTERNAL_ERROR && exit.detail === EMULATION;
}

/** What KVM said of an exit that no device answers, in a few words and with its numbers. */
export function describeExit(exit: VcpuExit): string {
  if (exit.reason === KVM_EXIT.INTERNAL_ERROR) {
    return SUBERRORS[exit.detail] ?? `KVM internal error ${exit.detail}`;
  }
  const name = REASONS[exit.reason] ?? `KVM exit ${exit.reason}`;
  const numbers = exit.values().map(hex).join(', ');
  const what = numbers === '' ? name : `${name} (${numbers})`;
  if (exit.kind !== EXIT_KIND.runFailed) return what;
  return exit.reason === KVM_EXIT.UNKNOWN
    ? `KVM_RUN failed with errno ${exit.errno}`
    : `KVM_RUN failed with errno ${exit.errno}: ${what}`;
}

/**
 * The instruction that KVM could not emulate, as far as KVM had fetched it: up to 15 bytes, none
 * for other exits (KVM API 5, `emulation_failure`).
 */
export function failedInstruction(exit: VcpuExit): Uint8Array {
  const [flags, ...words] = isEmulationFailure(exit) ? exit.values() : [];
  if (flags === undefined || (flags & HAS_INSTRUCTION) === 0n || words.length < 2) {
    return new Uint8Array();
  }
  // One byte of length, then the bytes.
  const bytes = new Uint8Array(BigUint64Array.from(words.slice(0, 2)).buffer);
  return bytes.slice(1, 1 + Math.min(bytes[0] ?? 0, 15));
}
