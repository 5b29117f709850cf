import { describe, expect, it } from 'vitest';
import { describeFault, type FaultedCpu } from './diagnosis.ts';

const STOOD: FaultedCpu = {
  id: 1,
  what: 'triple fault',
  registers: [
    ['rax', 0x5afen],
    ['rip', 0x10_0005n],
    ['csbase', 0n],
  ],
  instruction: Uint8Array.of(0xcc, 0xf4),
  why: 'triple-fault',
};
const RESET: FaultedCpu['registers'] = [
  ['rax', 0n],
  ['rip', 0xfff0n],
  ['csbase', 0xffff_0000n],
];

describe('the report of a vCPU that cannot go on', () => {
  it('has a summary, registers, the instruction and a likely reason', () => {
    const [summary, registers, instruction, reason, ...more] = describeFault(STOOD);
    expect(summary).toBe('vCPU 1 cannot go on: triple fault at 0x100005');
    expect(registers).toContain('RAX=0000000000005afe');
    expect(instruction).toBe('instruction bytes: cc f4');
    expect(reason).toMatch(/^likely reason: an exception, .* --no-reboot is given\.$/);
    expect(more).toEqual([]);
  });

  it('shows no registers of a vCPU that KVM has reset', () => {
    const [summary, lost, ...more] = describeFault({ ...STOOD, registers: RESET });
    expect(summary).toBe('vCPU 1 cannot go on: triple fault');
    expect(lost).toBe('its registers are lost: the KVM of AMD processors has reset them');
    expect(more).toEqual([expect.stringMatching(/^likely reason: an exception/)]);
  });

  it('shows them where the guest itself went there', () => {
    const report = describeFault({ ...STOOD, registers: RESET, why: 'emulation-failure' });
    expect(report[0]).toBe('vCPU 1 cannot go on: triple fault at 0xfff0');
  });
});
