/*
 * The floating-point and debug registers of a vCPU as KVM's structures, little-endian: struct
 * kvm_xsave, which begins with the legacy region of XSAVE (KVM API 4.42; Intel SDM 1, 13.4.1), and
 * struct kvm_debugregs (4.34). Struct kvm_fpu would be smaller, but lacks MXCSR.
 */

/** An 80-bit register as it is stored: significand, then sign and exponent. */
export interface X87Register {
  readonly mantissa: bigint;
  readonly exponent: number;
}

export interface FpuRegisters {
  /** Eight, from the top of the stack. */
  readonly fpr: readonly X87Register[];
  readonly fcw: number;
  readonly fsw: number;
  /** One bit per register: whether it holds something. */
  readonly ftw: number;
  readonly mxcsr: number;
  /** Sixteen of 128 bits. */
  readonly xmm: readonly bigint[];
}

export interface DebugRegisters {
  /** DR0 to DR3. */
  readonly db: readonly bigint[];
  readonly dr6: bigint;
  readonly dr7: bigint;
}

const LEGACY_BYTES = 512;
const LEGACY = { fcw: 0, fsw: 2, ftw: 4, mxcsr: 24, fpr: 32, xmm: 160 } as const;
const SLOT = 16;
const DEBUG_BYTES = 128;

function viewOf(bytes: Uint8Array, size: number): DataView {
  if (bytes.length < size) throw new RangeError(`${bytes.length} bytes and not ${size}`);
  return new DataView(bytes.buffer, bytes.byteOffset, size);
}

/** @param bytes struct kvm_xsave */
export function decodeFpu(bytes: Uint8Array): FpuRegisters {
  const view = viewOf(bytes, LEGACY_BYTES);
  const wide = (at: number): bigint =>
    view.getBigUint64(at, true) | (view.getBigUint64(at + 8, true) << 64n);
  return {
    fpr: Array.from({ length: 8 }, (_, index) => ({
      mantissa: view.getBigUint64(LEGACY.fpr + index * SLOT, true),
      exponent: view.getUint16(LEGACY.fpr + index * SLOT + 8, true),
    })),
    fcw: view.getUint16(LEGACY.fcw, true),
    fsw: view.getUint16(LEGACY.fsw, true),
    ftw: view.getUint8(LEGACY.ftw),
    mxcsr: view.getUint32(LEGACY.mxcsr, true),
    xmm: Array.from({ length: 16 }, (_, index) => wide(LEGACY.xmm + index * SLOT)),
  };
}

/** @param bytes struct kvm_debugregs */
export function decodeDebugRegisters(bytes: Uint8Array): DebugRegisters {
  const view = viewOf(bytes, DEBUG_BYTES);
  const word = (index: number): bigint => view.getBigUint64(index * 8, true);
  return { db: [0, 1, 2, 3].map(word), dr6: word(4), dr7: word(5) };
}
