import { hex } from '../units.ts';
import { inspectHostKvm } from './host-kvm.ts';

/** A vCPU that cannot go on, as much of it as could be read. */
export interface FaultedCpu {
  readonly id: number;
  /** What KVM said, as `emulation failure`. */
  readonly what: string;
  /** By name, in the order they are to be shown. */
  readonly registers: readonly (readonly [name: string, value: bigint])[];
  /** At the instruction pointer; empty when it is not mapped. */
  readonly instruction: Uint8Array;
  readonly why: 'emulation-failure' | 'triple-fault' | 'other';
}

/** Where a vCPU begins after a reset: Intel SDM vol. 3, "First Instruction Executed". */
const RESET_VECTOR = { rip: 0xfff0n, csbase: 0xffff_0000n } as const;

const COLUMNS = 4;

function registerLines(registers: FaultedCpu['registers']): string[] {
  const cells = registers.map(([name, value]) => {
    return `${name.toUpperCase().padStart(6)}=${value.toString(16).padStart(16, '0')}`;
  });
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += COLUMNS) {
    lines.push(cells.slice(at, at + COLUMNS).join(' '));
  }
  return lines;
}

/** Whether nothing is left of what it was: AMD's KVM resets a vCPU that has faulted three times. */
function isReset({ why, registers }: FaultedCpu): boolean {
  if (why !== 'triple-fault') return false;
  const values = new Map(registers);
  return values.get('rip') === RESET_VECTOR.rip && values.get('csbase') === RESET_VECTOR.csbase;
}

/** What most likely went wrong, in plain words. */
function likelyReason({ why }: FaultedCpu): string {
  if (why === 'triple-fault') {
    return 'an exception, and neither its handler nor that of double faults could be entered: often a stack or a handler that is not mapped. A processor answers with a reset, and --no-reboot is given.';
  }
  const host = inspectHostKvm();
  if (why === 'emulation-failure' && !host.hardware) {
    return (
      `this KVM (${host.module ?? 'unknown'}) has no hardware virtualization: it emulates the guest's kernel code ` +
      'instruction by instruction, does not know them all, and cannot run a Linux kernel. ' +
      'Bare-metal programs run here; for Linux use a host with VT-x or AMD-V, or a nested machine (scripts/nested).'
    );
  }
  if (why === 'emulation-failure') {
    return 'the guest executed, or jumped into, something that KVM cannot emulate: often MMIO by an unusual instruction, or code outside memory.';
  }
  return "this exit has no handler: the guest's state, or this host's KVM, is one that tsvmm does not support.";
}

/** The report of a vCPU that cannot go on: one line of summary, then the details. */
export function describeFault(fault: FaultedCpu): readonly string[] {
  const reason = `likely reason: ${likelyReason(fault)}`;
  if (isReset(fault)) {
    return [
      `vCPU ${fault.id} cannot go on: ${fault.what}`,
      'its registers are lost: the KVM of AMD processors has reset them',
      reason,
    ];
  }
  const bytes = Array.from(fault.instruction, (it) => it.toString(16).padStart(2, '0')).join(' ');
  const rip = fault.registers.find(([name]) => name === 'rip')?.[1];
  const where = rip === undefined ? '' : ` at ${hex(rip)}`;
  return [
    `vCPU ${fault.id} cannot go on: ${fault.what}${where}`,
    ...registerLines(fault.registers),
    `instruction bytes: ${bytes === '' ? '(not mapped)' : bytes}`,
    reason,
  ];
}
