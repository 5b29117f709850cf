/*
 * What a vCPU that left KVM_RUN says: the record that native/vcpu.cc fills and JavaScript answers.
 * One record of RECORD_BYTES per vCPU, little-endian.
 */
export const EXIT_RECORD = {
  /** u32: an ExitKind. */
  kind: 0,
  /** u32: 1 for a write (port or MMIO). */
  isWrite: 4,
  /** u64: port or gpa. */
  addr: 8,
  /** u32: bytes, 1 to 8. */
  size: 16,
  /** u32: tag of the range, TAG_NONE for none. */
  tag: 20,
  /** u64: what was written; or where the answer to a read goes. */
  data: 24,
  /** u32: KVM's exit reason (KVM_EXIT_*), also for kinds above. */
  reason: 32,
  /** u32: errno of KVM_RUN for `runFailed`, else 0. */
  errno: 36,
  /** u32: suberror, system event type or hardware reason. */
  detail: 40,
  /** u32: valid entries of `values`. */
  valueCount: 44,
  /** u64 × 16: data of an internal error or system event; gpa, size, flags of a memory fault. */
  values: 48,
  bytes: 48 + 16 * 8,
} as const;

export const TAG_NONE = 0xffff_ffff;

export const EXIT_KIND = {
  /** Port I/O that a `sync` range asks about. */
  port: 1,
  /** MMIO that a `sync` range asks about. */
  mmio: 2,
  /** The vCPU parked after pause(); run() lets it go on. */
  parked: 3,
  /** Anything else KVM reported: see `reason`. The vCPU waits for resume(). */
  other: 4,
  /** KVM_RUN failed with `errno`. The vCPU waits for resume(), which runs it again. */
  runFailed: 5,
} as const;
export type ExitKind = (typeof EXIT_KIND)[keyof typeof EXIT_KIND];

/** KVM API 5, `exit_reason`. */
export const KVM_EXIT = {
  UNKNOWN: 0,
  EXCEPTION: 1,
  IO: 2,
  HYPERCALL: 3,
  DEBUG: 4,
  HLT: 5,
  MMIO: 6,
  IRQ_WINDOW_OPEN: 7,
  SHUTDOWN: 8,
  FAIL_ENTRY: 9,
  INTR: 10,
  INTERNAL_ERROR: 17,
  SYSTEM_EVENT: 24,
  MEMORY_FAULT: 39,
} as const;
