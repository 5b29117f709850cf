import { describe, expect, it } from 'vitest';
import {
  decodeRegisters,
  decodeSpecialRegisters,
  encodeRegisters,
  encodeSpecialRegisters,
  REGISTER_NAMES,
  REGS_BYTES,
  SREGS_BYTES,
} from './registers.ts';

describe('general registers', () => {
  it('are 18 words in the order of struct kvm_regs', () => {
    const words = BigUint64Array.from(REGISTER_NAMES, (_, index) => BigInt(index) + 2n ** 63n);
    const bytes = new Uint8Array(words.buffer);
    expect(bytes.length).toBe(REGS_BYTES);
    const registers = decodeRegisters(bytes);
    expect(registers.rax).toBe(2n ** 63n);
    expect(registers.rsi).toBe(2n ** 63n + 4n);
    expect(registers.rip).toBe(2n ** 63n + 16n);
    expect(registers.rflags).toBe(2n ** 63n + 17n);
    expect(encodeRegisters(registers)).toEqual(bytes);
  });

  it('are refused in another size', () => {
    expect(() => decodeRegisters(new Uint8Array(143))).toThrow('143 bytes and not 144');
  });
});

describe('special registers', () => {
  it('are where struct kvm_sregs has them', () => {
    expect(SREGS_BYTES).toBe(312);
    const view = new DataView(new ArrayBuffer(SREGS_BYTES));
    view.setBigUint64(0, 0x1000n, true); // cs.base
    view.setUint16(12, 0x1b, true); // cs.selector
    view.setUint8(14, 0xb); // cs.type
    view.setUint8(15, 1); // cs.present
    view.setUint8(22, 1); // cs.unusable, which `present` decides
    view.setUint32(144 + 8, 0x67, true); // tr.limit
    view.setUint8(144 + 15, 1);
    view.setUint16(192 + 8, 0x2f, true); // gdt.limit
    view.setBigUint64(208, 0x5000n, true); // idt.base
    view.setBigUint64(224, 0x8000_0011n, true); // cr0
    view.setBigUint64(240, 0x9000n, true); // cr3
    view.setBigUint64(264, 0x500n, true); // efer
    view.setBigUint64(272, 0xfee0_0900n, true); // apic_base
    view.setBigUint64(304, 4n, true); // the last word of the bitmap
    const registers = decodeSpecialRegisters(new Uint8Array(view.buffer));
    expect(registers.cs).toMatchObject({ base: 0x1000n, selector: 0x1b, type: 0xb, present: 1 });
    expect(registers.tr.limit).toBe(0x67);
    expect(registers.gdt.limit).toBe(0x2f);
    expect(registers.idt.base).toBe(0x5000n);
    expect(registers).toMatchObject({ cr0: 0x8000_0011n, cr3: 0x9000n, efer: 0x500n });
    expect(registers.apicBase).toBe(0xfee0_0900n);
    expect(registers.interruptBitmap).toEqual([0n, 0n, 0n, 4n]);
    const back = new DataView(encodeSpecialRegisters(registers).buffer);
    expect(back.getUint8(22)).toBe(0);
    expect(back.getUint8(24 + 22)).toBe(1); // ds is not present
    expect(decodeSpecialRegisters(new Uint8Array(back.buffer))).toEqual(registers);
  });
});
