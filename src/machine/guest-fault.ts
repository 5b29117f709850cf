import { EXIT_KIND, KVM_EXIT, type VcpuExit } from '../kvm/exit.ts';
import { describeExit, failedInstruction, isEmulationFailure } from '../kvm/exit-text.ts';
import { REGISTER_NAMES } from '../kvm/registers.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import { describeFault, type FaultedCpu } from './diagnosis.ts';

const INSTRUCTION_BYTES = 15;
const PAGE_MASK = 0xfff;

/** A triple fault: what a processor answers with a reset. */
export function isTripleFault(exit: VcpuExit): boolean {
  return exit.kind === EXIT_KIND.other && exit.reason === KVM_EXIT.SHUTDOWN;
}

/** EFAULT, EHWPOISON. */
const MEMORY_ERRORS: readonly number[] = [14, 133];

/** Whether KVM could not reach the memory behind an address of the guest's. */
export function isMemoryFailure(exit: VcpuExit): boolean {
  if (exit.kind === EXIT_KIND.runFailed) return MEMORY_ERRORS.includes(exit.errno);
  return exit.kind === EXIT_KIND.other && exit.reason === KVM_EXIT.MEMORY_FAULT;
}

/** Reads what there is to know of a vCPU that cannot go on. @returns lines, the summary first */
export function diagnose(vcpu: Vcpu, exit: VcpuExit, memory: GuestMemoryAccess): readonly string[] {
  const what = describeExit(exit);
  const failed = failedInstruction(exit);
  const general = vcpu.registers();
  const { cs, cr0, cr2, cr3, cr4, efer } = vcpu.specialRegisters();
  return describeFault({
    id: vcpu.id,
    what,
    registers: [
      ...REGISTER_NAMES.map((name) => [name, general[name]] as const),
      ['cr0', cr0],
      ['cr2', cr2],
      ['cr3', cr3],
      ['cr4', cr4],
      ['efer', efer],
      ['cs', BigInt(cs.selector)],
      ['csbase', cs.base],
      ['cpl', BigInt(cs.dpl)],
    ],
    instruction: failed.length > 0 ? failed : instructionAt(vcpu, cs.base + general.rip, memory),
    why: reasonOf(exit),
  });
}

function reasonOf(exit: VcpuExit): FaultedCpu['why'] {
  if (isTripleFault(exit)) return 'triple-fault';
  return isEmulationFailure(exit) ? 'emulation-failure' : 'other';
}

/** @returns up to 15 bytes; none where the address is not mapped to memory */
function instructionAt(vcpu: Vcpu, linear: bigint, memory: GuestMemoryAccess): Uint8Array {
  const gpa = vcpu.translate(BigInt.asUintN(64, linear));
  if (gpa === undefined) return new Uint8Array(0);
  const length = Math.min(INSTRUCTION_BYTES, PAGE_MASK + 1 - (gpa % (PAGE_MASK + 1)));
  const bytes = new Uint8Array(length);
  return memory.read(gpa, bytes, length) ? bytes : new Uint8Array(0);
}
