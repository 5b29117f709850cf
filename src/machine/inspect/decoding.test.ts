import { describe, expect, it } from 'vitest';
import { decodeDebugRegisters, decodeFpu } from './fpu-registers.ts';
import { decodeLocalApic, interruptControllers } from './interrupt-state.ts';
import { threadTimes } from './stats.ts';

function bytes(size: number, fill: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  fill(view);
  return new Uint8Array(view.buffer);
}

describe('the state of a vCPU', () => {
  it('is found in struct kvm_xsave', () => {
    const fpu = decodeFpu(
      bytes(4096, (view) => {
        view.setUint16(0, 0x37f, true);
        view.setUint16(2, 0x3800, true);
        view.setUint8(4, 0x80);
        view.setUint32(24, 0x1f80, true);
        view.setBigUint64(32 + 16, 0x8000_0000_0000_0000n, true);
        view.setUint16(32 + 24, 0x3fff, true);
        view.setBigUint64(160 + 16, 1n, true);
        view.setBigUint64(160 + 24, 2n, true);
      }),
    );
    expect(fpu.fpr[1]).toEqual({ mantissa: 0x8000_0000_0000_0000n, exponent: 0x3fff });
    expect(fpu).toMatchObject({ fcw: 0x37f, fsw: 0x3800, ftw: 0x80, mxcsr: 0x1f80 });
    expect(fpu.xmm[1]).toBe((2n << 64n) | 1n);
    expect(fpu.xmm).toHaveLength(16);
    expect(() => decodeFpu(new Uint8Array(416))).toThrow('416 bytes and not 512');
  });

  it('is found in struct kvm_debugregs', () => {
    const debug = decodeDebugRegisters(
      bytes(128, (view) => {
        view.setBigUint64(8, 0x1234n, true);
        view.setBigUint64(32, 0xffff_0ff0n, true);
        view.setBigUint64(40, 0x400n, true);
      }),
    );
    expect(debug).toEqual({ db: [0n, 0x1234n, 0n, 0n], dr6: 0xffff_0ff0n, dr7: 0x400n });
  });

  it('is found in struct kvm_lapic_state', () => {
    const lapic = bytes(1024, (view) => view.setUint32(0x320, 0x1_00ef, true));
    expect(decodeLocalApic(3, lapic).register(0x320)).toBe(0x1_00ef);
    expect(() => decodeLocalApic(3, new Uint8Array(4096))).toThrow('4096 bytes');
  });
});

it('the interrupt controllers are found in struct kvm_irqchip', () => {
  const chips = {
    irqchip0: bytes(520, (view) => {
      // last_irr, irr, imr, isr, priority_add, irq_base, …, elcr
      [0xff, 4, 0xfb, 1, 9, 0x30].forEach((value, index) => view.setUint8(8 + index, value));
      view.setUint8(8 + 14, 0xc);
    }),
    irqchip1: bytes(520, () => undefined),
    irqchip2: bytes(520, (view) => {
      view.setBigUint64(8, 0xfec0_0000n, true);
      view.setUint32(20, 5, true);
      view.setUint32(24, 1 << 4, true);
      view.setBigUint64(32 + 4 * 8, 0x0300_0000_0000_a924n, true);
    }),
  };
  const { pics, ioApicId, pins } = interruptControllers({
    getState: (kind) => chips[kind as keyof typeof chips],
  });
  expect(pics[0]).toEqual({ irr: 4, imr: 0xfb, isr: 1, irqBase: 0x30, elcr: 0xc });
  expect(ioApicId).toBe(5);
  expect(pins).toHaveLength(24);
  expect(pins[4]).toEqual({ pin: 4, entry: 0x0300_0000_0000_a924n, requested: true });
  expect(pins[5]).toEqual({ pin: 5, entry: 0n, requested: false });
});

it('the times of a thread are read behind a name with spaces and parentheses', () => {
  const fields = Array.from({ length: 50 }, (_, index) => index);
  const inMs = { type: 'cumulative', unit: 'seconds', exponent: -3 } as const;
  const stat = `4711 (vcpu ) 0 (x) R ${fields.slice(1).join(' ')}`;
  expect(threadTimes(stat)).toEqual([
    { name: 'guest-time', ...inMs, value: 400 },
    { name: 'user-time', ...inMs, value: 110 },
    { name: 'system-time', ...inMs, value: 120 },
  ]);
});
