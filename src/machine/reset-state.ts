import type { Vcpu, VcpuStateKind } from '../kvm/vcpu.ts';

/*
 * MSRs that a guest may have changed and that no struct of KVM's state carries, with what they hold
 * after a reset. Those that this KVM does not have are skipped.
 */
const IA32_MISC_ENABLE = 0x1a0;
const IA32_PAT = 0x277;
const IA32_MTRR_DEF_TYPE = 0x2ff;

/** Enabled, default type write-back: what firmware leaves behind; without it Linux disables PAT. */
const MTRR_WRITE_BACK = 0x806n;
const FAST_STRINGS = 1n;

/** What firmware would have set before the kernel starts. */
const FIRMWARE_MSRS: readonly (readonly [number, bigint])[] = [
  [IA32_MISC_ENABLE, FAST_STRINGS],
  [IA32_MTRR_DEF_TYPE, MTRR_WRITE_BACK],
];

const RESET_MSRS: readonly (readonly [number, bigint])[] = [
  [0x10, 0n], // TSC
  [0x3b, 0n], // TSC_ADJUST
  [0x48, 0n], // SPEC_CTRL
  [0x174, 0n], // SYSENTER_CS
  [0x175, 0n], // SYSENTER_ESP
  [0x176, 0n], // SYSENTER_EIP
  [IA32_PAT, 0x0007_0406_0007_0406n],
  [0x6e0, 0n], // TSC_DEADLINE
  [0xda0, 0n], // XSS
  [0xc000_0081, 0n], // STAR
  [0xc000_0082, 0n], // LSTAR
  [0xc000_0083, 0n], // CSTAR
  [0xc000_0084, 0n], // SYSCALL_MASK
  [0xc000_0102, 0n], // KERNEL_GS_BASE
  [0xc000_0103, 0n], // TSC_AUX
  // KVM's own: with these left alone it would go on writing into the new guest's memory.
  [0x11, 0n], // KVM_WALL_CLOCK
  [0x12, 0n], // KVM_SYSTEM_TIME
  [0x4b56_4d00, 0n], // KVM_WALL_CLOCK_NEW
  [0x4b56_4d01, 0n], // KVM_SYSTEM_TIME_NEW
  [0x4b56_4d02, 0n], // KVM_ASYNC_PF_EN
  [0x4b56_4d03, 0n], // KVM_STEAL_TIME
  [0x4b56_4d04, 0n], // KVM_PV_EOI_EN
  [0x4b56_4d05, 1n], // KVM_POLL_CONTROL
  [0x4b56_4d06, 0n], // KVM_ASYNC_PF_INT
];

/** State that comes and goes as one struct; `regs` and `sregs` are set by whoever boots. */
const STRUCTS = [
  'fpu',
  'xcrs',
  'debugregs',
  'sregs',
  'lapic',
  'vcpu_events',
  'mp_state',
] as const satisfies readonly VcpuStateKind[];

/** A vCPU as it was when it was created. */
export class PowerOnState {
  readonly #structs: (readonly [kind: VcpuStateKind, bytes: Uint8Array])[] = [];

  constructor(vcpu: Vcpu) {
    for (const kind of STRUCTS) {
      try {
        this.#structs.push([kind, vcpu.getState(kind)]);
      } catch {
        // This KVM does not keep it, so there is nothing to put back.
      }
    }
    setMsrs(vcpu, FIRMWARE_MSRS);
  }

  /** Puts the vCPU back. It must be parked. */
  restore(vcpu: Vcpu): void {
    for (const [kind, bytes] of this.#structs) vcpu.setState(kind, bytes);
    setMsrs(vcpu, RESET_MSRS);
    setMsrs(vcpu, FIRMWARE_MSRS);
  }
}

function setMsrs(vcpu: Vcpu, values: readonly (readonly [number, bigint])[]): void {
  for (const [index, value] of values) {
    try {
      vcpu.setMsrs(new Uint32Array([index]), new BigUint64Array([value]));
    } catch {
      // Not every KVM has every MSR; one that is absent holds nothing.
    }
  }
}
