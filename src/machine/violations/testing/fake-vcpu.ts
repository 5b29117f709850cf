import { EXIT_KIND, KVM_EXIT, type VcpuExit } from '../../../kvm/exit.ts';
import {
  decodeRegisters,
  decodeSpecialRegisters,
  REGS_BYTES,
  SREGS_BYTES,
  type Registers,
  type SpecialRegisters,
} from '../../../kvm/registers.ts';
import type { Vcpu } from '../../../kvm/vcpu.ts';

const LONG_MODE = 1n << 10n;

/** Registers that are 0 but for those given. */
export function registers(changes: Partial<Registers> = {}): Registers {
  return { ...decodeRegisters(new Uint8Array(REGS_BYTES)), ...changes };
}

/** In 64-bit mode, every segment and table at 0, but for what is given. */
export function special(changes: Partial<SpecialRegisters> = {}): SpecialRegisters {
  const zero = decodeSpecialRegisters(new Uint8Array(SREGS_BYTES));
  return { ...zero, cs: { ...zero.cs, l: 1 }, efer: LONG_MODE, ...changes };
}

/** An exit as KVM would report it; by default KVM_RUN that failed with EFAULT. */
export function fakeExit(changes: Partial<VcpuExit> = {}): VcpuExit {
  return {
    kind: EXIT_KIND.runFailed,
    isWrite: false,
    addr: 0,
    size: 0,
    tag: 0,
    dataLow: 0,
    dataHigh: 0,
    reason: KVM_EXIT.UNKNOWN,
    errno: 14,
    detail: 0,
    values: () => [],
    ...changes,
  };
}

/** What the guard needs of a vCPU, whose page tables map everything one to one. */
export class FakeVcpu {
  readonly id = 0;
  state: Registers = registers();
  specialState: SpecialRegisters = special();
  translate: (linear: bigint) => number | undefined = (linear) => Number(linear);

  registers(): Registers {
    return this.state;
  }

  specialRegisters(): SpecialRegisters {
    return this.specialState;
  }

  get vcpu(): Vcpu {
    // eslint-disable-next-line @typescript-eslint/no-unsafe-type-assertion
    return this as unknown as Vcpu;
  }
}
