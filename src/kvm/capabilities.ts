/** KVM_CAP_*, KVM API 8 (Documentation/virt/kvm/api.rst), as `checkExtension` takes them. */
export const CAPABILITY = {
  IRQCHIP: 0,
  USER_MEMORY: 3,
  SET_TSS_ADDR: 4,
  EXT_CPUID: 7,
  /** @returns the recommended number of vCPUs */
  NR_VCPUS: 9,
  /** @returns how many memslots a VM may have */
  NR_MEMSLOTS: 10,
  PIT: 11,
  MP_STATE: 14,
  SYNC_MMU: 16,
  IRQ_ROUTING: 25,
  IRQFD: 32,
  PIT2: 33,
  PIT_STATE2: 35,
  IOEVENTFD: 36,
  SET_IDENTITY_MAP_ADDR: 37,
  ADJUST_CLOCK: 39,
  VCPU_EVENTS: 41,
  DEBUGREGS: 50,
  XSAVE: 55,
  XCRS: 56,
  TSC_CONTROL: 60,
  /** @returns the greatest number of vCPUs */
  MAX_VCPUS: 66,
  TSC_DEADLINE_TIMER: 72,
  SIGNAL_MSI: 77,
  READONLY_MEM: 81,
  /** @returns the limit of vCPU ids */
  MAX_VCPU_ID: 128,
  CHECK_EXTENSION_VM: 105,
  X86_SMM: 117,
  MULTI_ADDRESS_SPACE: 118,
  IOEVENTFD_ANY_LENGTH: 122,
  X2APIC_API: 129,
  IMMEDIATE_EXIT: 136,
  /** @returns bytes of the state that `xsave` names, at least 4096 */
  XSAVE2: 208,
  /** @returns the KVM_X86_QUIRK_* that can be disabled */
  DISABLE_QUIRKS2: 213,
} as const;

/** KVM_X86_QUIRK_*, KVM API 7.28: old behaviour that a VM can do without. */
export const KVM_X86_QUIRK = {
  /** Deleting a memslot unmaps all of the guest's memory, not the slot's alone. */
  SLOT_ZAP_ALL: 1 << 7,
} as const;

/** KVM_MEM_*, KVM API 4.35: flags of a memslot. */
export const KVM_MEM = {
  LOG_DIRTY_PAGES: 1,
  READONLY: 2,
} as const;

/** The capabilities without which a machine cannot be built, by name. */
export const REQUIRED_CAPABILITIES = [
  'IRQCHIP',
  'USER_MEMORY',
  'EXT_CPUID',
  'IRQ_ROUTING',
  'IRQFD',
  'IOEVENTFD',
  'IOEVENTFD_ANY_LENGTH',
  'SIGNAL_MSI',
  'IMMEDIATE_EXIT',
] as const satisfies readonly (keyof typeof CAPABILITY)[];
