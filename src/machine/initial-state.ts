import type { InitialCpuState } from '../boot/cpu-state.ts';
import type { Vcpu } from '../kvm/vcpu.ts';

/** Sets a vCPU to where the boot loader wants it to begin; all else stays as at power-on. */
export function applyInitialState(vcpu: Vcpu, state: InitialCpuState): void {
  const { registers, segments, gdt, idt, cr0, cr3, cr4, efer } = state;
  const powerOn = vcpu.specialRegisters();
  vcpu.setSpecialRegisters({ ...powerOn, ...segments, gdt, idt, cr0, cr3, cr4, efer });
  vcpu.setRegisters(registers);
}
