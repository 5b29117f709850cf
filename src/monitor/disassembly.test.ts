import { describe, expect, it } from 'vitest';
import type { CodeState } from '../machine/instruction-decoder.ts';
import { disassemble } from './disassembly.ts';
import { fakeRegisters } from './testing/fake-inspection.ts';

const { special } = fakeRegisters(0);
const WIDE: CodeState = { cs: { ...special.cs, l: 1, db: 0 }, efer: 0xd01n };
const MIDDLE: CodeState = { cs: { ...special.cs, l: 0, db: 1 }, efer: 0n };
const NARROW: CodeState = { cs: { ...special.cs, base: 0xf_0000n, l: 0, db: 0 }, efer: 0n };

function show(hex: string, cpu: CodeState, address = 0n, count = 100): string[] {
  const bytes = Uint8Array.from(hex.split(' '), (digits) => parseInt(digits, 16));
  const memory = { bytes, endsBecause: 'no memory there' };
  return disassemble({ address, memory, count, cpu }).split('\n').slice(0, -1);
}

describe('instructions', () => {
  it('are as wide as the code of the vCPU', () => {
    const code = '48 89 e5 90';
    expect(show(code, WIDE, 0x1000n, 2)).toEqual([
      '0x0000000000001000:  48 89 e5                 mov %rsp,%rbp',
      '0x0000000000001003:  90                       nop',
    ]);
    expect(show(code, MIDDLE, 0x1000n, 2)).toEqual([
      '0x0000000000001000:  48                       dec %eax',
      '0x0000000000001001:  89 e5                    mov %esp,%ebp',
    ]);
    expect(show(code, NARROW, 0x1000n, 2)).toEqual([
      '0x0000000000001000:  48                       dec %ax',
      '0x0000000000001001:  89 e5                    mov %sp,%bp',
    ]);
    // Long mode runs 32-bit code, too; without long mode CS.L means nothing.
    expect(show(code, { ...MIDDLE, efer: 0xd01n }, 0n, 1)[0]).toContain('dec %eax');
    expect(show(code, { ...WIDE, efer: 0n }, 0n, 1)[0]).toContain('dec %ax');
  });

  it('jump to where the vCPU would', () => {
    expect(show('eb fe', WIDE, 0xffff_8000_0000_0010n, 1)[0]).toMatch(/jmp 0xffff800000000010$/);
    expect(show('eb fe', NARROW, 0xf_e05bn, 1)[0]).toMatch(/jmp 0xe05b$/);
    expect(show('ea 5b e0 00 f0', NARROW, 0xf_fff0n, 1)[0]).toMatch(/ljmp \$0xf000,\$0xe05b$/);
  });

  it('that do not exist are said so, and do not end the rest', () => {
    const [bad, ...others] = show('06 90', WIDE, 0n, 2);
    expect(bad).toMatch(/06 +\(bad\)$/);
    expect(others[0]).toMatch(/^0x0000000000000001: .*nop$/);
  });

  it('end where memory ends, also in the middle of one', () => {
    const end = 'Cannot access memory: no memory there';
    expect(show('90', WIDE, 0xfffn)).toEqual([
      '0x0000000000000fff:  90                       nop',
      `0x0000000000001000:  ${end}`,
    ]);
    expect(show('90 48 8b', WIDE, 0xffdn)[1]).toBe(`0x0000000000000ffe:  ${end}`);
    const none = { bytes: new Uint8Array(0), endsBecause: 'not mapped' };
    expect(disassemble({ address: -1n, memory: none, count: 1, cpu: WIDE })).toBe(
      '0xffffffffffffffff:  Cannot access memory: not mapped\n',
    );
  });
});
