import { addon, type NativeMapping, type NativeVm } from '../../src/kvm/addon.ts';
import { CAPABILITY } from '../../src/kvm/capabilities.ts';

/** A VM with a vCPU that never ran, and memory that nobody touches. */
export interface BareVm {
  readonly vm: NativeVm;
  /** Inaccessible. */
  readonly mapping: NativeMapping;
  /** KVM_CAP_NR_MEMSLOTS. */
  readonly capacity: number;
  readonly close: () => void;
}

const ALIGNMENT = 2 * 1024 * 1024;

/** @param size  of the memory, in bytes */
export function openVm(size: number): BareVm {
  const kvm = addon.openKvm('/dev/kvm');
  const capacity = kvm.checkExtension(CAPABILITY.NR_MEMSLOTS);
  const vm = kvm.createVm();
  kvm.close();
  vm.createIrqchip();
  vm.createVcpu(0);
  const options = { size, alignment: ALIGNMENT, shared: false, noReserve: true } as const;
  const mapping = addon.mapMemory({ ...options, access: 'none' });
  const close = (): void => {
    vm.close();
    mapping.close();
  };
  return { vm, mapping, capacity, close };
}
