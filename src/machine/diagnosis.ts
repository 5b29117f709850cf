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
  /** Whether KVM could not emulate the instruction. */
  readonly isEmulationFailure: boolean;
}

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

/** What most likely went wrong, in plain words. */
function likelyReason(fault: FaultedCpu): string {
  const host = inspectHostKvm();
  if (fault.isEmulationFailure && !host.hardware) {
    return (
      `this KVM (${host.module ?? 'unknown'}) has no hardware virtualization: it emulates the guest's kernel code ` +
      'instruction by instruction, does not know them all, and cannot run a Linux kernel. ' +
      'Bare-metal programs run here; for Linux use a host with VT-x or AMD-V, or a nested machine (scripts/nested).'
    );
  }
  if (fault.isEmulationFailure) {
    return 'the guest executed, or jumped into, something that KVM cannot emulate: often MMIO by an unusual instruction, or code outside memory.';
  }
  return "this exit has no handler: the guest's state, or this host's KVM, is one that tsvmm does not support.";
}

/** The report of a vCPU that cannot go on: one line of summary, then the details. */
export function describeFault(fault: FaultedCpu): readonly string[] {
  const bytes = Array.from(fault.instruction, (it) => it.toString(16).padStart(2, '0')).join(' ');
  const rip = fault.registers.find(([name]) => name === 'rip')?.[1];
  const where = rip === undefined ? '' : ` at ${hex(rip)}`;
  return [
    `vCPU ${fault.id} cannot go on: ${fault.what}${where}`,
    ...registerLines(fault.registers),
    `instruction bytes: ${bytes === '' ? '(not mapped)' : bytes}`,
    `likely reason: ${likelyReason(fault)}`,
  ];
}
