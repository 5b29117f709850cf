import { readU64 } from '../bytes.ts';

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

const MOST_VALUES = (EXIT_RECORD.bytes - EXIT_RECORD.values) / 8;

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

/** An exit, decoded. One object per vCPU, filled anew for each exit. */
export interface VcpuExit {
  readonly kind: ExitKind;
  readonly isWrite: boolean;
  /** Port or gpa. */
  readonly addr: number;
  /** Bytes, 1 to 8. */
  readonly size: number;
  readonly tag: number;
  /** What was written: lower and upper 32 bits. */
  readonly dataLow: number;
  readonly dataHigh: number;
  /** KVM_EXIT_*. */
  readonly reason: number;
  readonly errno: number;
  /** Suberror, event type or exception. */
  readonly detail: number;
  /** What else KVM says: see EXIT_RECORD.values. */
  values(): readonly bigint[];
}

function kindOf(value: number): ExitKind {
  switch (value) {
    case EXIT_KIND.port:
    case EXIT_KIND.mmio:
    case EXIT_KIND.parked:
    case EXIT_KIND.runFailed:
      return value;
    default:
      return EXIT_KIND.other;
  }
}

/** Decodes the record of a vCPU, without allocating. */
export class ExitRecordReader implements VcpuExit {
  readonly #view: DataView;
  kind: ExitKind = EXIT_KIND.parked;
  isWrite = false;
  addr = 0;
  size = 0;
  tag: number = TAG_NONE;
  dataLow = 0;
  dataHigh = 0;
  reason = 0;
  errno = 0;
  detail = 0;

  constructor(view: DataView) {
    this.#view = view;
  }

  read(): VcpuExit {
    const view = this.#view;
    this.kind = kindOf(view.getUint32(EXIT_RECORD.kind, true));
    this.isWrite = view.getUint32(EXIT_RECORD.isWrite, true) !== 0;
    this.addr = readU64(view, EXIT_RECORD.addr);
    this.size = view.getUint32(EXIT_RECORD.size, true);
    this.tag = view.getUint32(EXIT_RECORD.tag, true);
    this.dataLow = view.getUint32(EXIT_RECORD.data, true);
    this.dataHigh = view.getUint32(EXIT_RECORD.data + 4, true);
    this.reason = view.getUint32(EXIT_RECORD.reason, true);
    this.errno = view.getUint32(EXIT_RECORD.errno, true);
    this.detail = view.getUint32(EXIT_RECORD.detail, true);
    return this;
  }

  values(): readonly bigint[] {
    const count = Math.min(this.#view.getUint32(EXIT_RECORD.valueCount, true), MOST_VALUES);
    return Array.from({ length: count }, (_, index) =>
      this.#view.getBigUint64(EXIT_RECORD.values + index * 8, true),
    );
  }
}
