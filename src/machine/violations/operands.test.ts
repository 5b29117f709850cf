import { describe, expect, it } from 'vitest';
import { memoryOperands, type CpuView } from './operands.ts';
import { registers, special } from './testing/fake-vcpu.ts';

const RIP = 0x1000n;
const general = registers({
  rip: RIP,
  rax: 0xffff_ffff_0000_1000n,
  rbx: 0x20_0000n,
  rcx: 0x10n,
  rsp: 0x8000n,
  rsi: 0x3_0000_0000n,
  rdi: 0x4_0000_0000n,
  r12: 0x5000n,
});
const segments = special({ fs: { ...special().fs, base: 0x7000_0000n } });
const cpu: CpuView = { registers: general, special: segments };

const operands = (code: readonly number[], view = cpu) =>
  memoryOperands(Uint8Array.from(code), view).map(
    ({ linear, size, access }) => `${access} ${linear.toString(16)} ${size}`,
  );

describe('in 64-bit code', () => {
  it.each<[string, readonly number[], readonly string[]]>([
    ['mov [rbx+rcx*4], rax', [0x48, 0x89, 0x04, 0x8b], ['write 200040 8']],
    ['mov al, [rbx]', [0x8a, 0x03], ['read 200000 1']],
    ['lock add [r12-8], ecx', [0xf0, 0x41, 0x01, 0x4c, 0x24, 0xf8], ['write 4ff8 4']],
    ['mov eax, [rip+0x10]', [0x8b, 0x05, 0x10, 0, 0, 0], ['read 1016 4']],
    ['mov eax, fs:[0x28]', [0x64, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0], ['read 70000028 4']],
    ['mov eax, [eax]', [0x67, 0x8b, 0x00], ['read 1000 4']],
    ['push rax', [0x50], ['write 7ff8 8']],
    ['ret', [0xc3], ['read 8000 8']],
    ['movaps xmm0, [rbx]', [0x0f, 0x28, 0x03], ['read 200000 16']],
    ['xsave [rbx]', [0x0f, 0xae, 0x23], ['write 200000 4096']],
    ['lea rax, [rbx]', [0x48, 0x8d, 0x03], []],
    ['mov eax, ebx', [0x89, 0xd8], []],
    ['half an instruction', [0x48, 0x8b], []],
    ['nothing', [], []],
    ['vpgatherdd: indices in a vector', [0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x4b], []],
  ])('%s', (_name, code, expected) => {
    expect(operands(code)).toEqual(expected);
  });

  it('rep movsq: both strings', () => {
    const found = operands([0xf3, 0x48, 0xa5]);
    expect(found.join()).toContain('read 300000000');
    expect(found.join()).toContain('write 400000000');
  });
});

it('adds the bases of segments in 32-bit code, and wraps at 4 GiB', () => {
  const { cs, ds } = segments;
  const view = {
    registers: registers({ rip: RIP, rbx: 0xffff_ffff_ffff_f000n }),
    special: {
      ...segments,
      efer: 0n,
      cs: { ...cs, l: 0, db: 1 },
      ds: { ...ds, base: 0x2000n },
    },
  };
  expect(operands([0x8b, 0x03], view)).toEqual(['read 1000 4']);
});

it('decodes 16-bit code', () => {
  const { cs, ds } = segments;
  const view = {
    registers: registers({ rip: RIP, rbx: 0x1_ffffn, rsi: 2n }),
    special: {
      ...segments,
      efer: 0n,
      cs: { ...cs, l: 0, db: 0 },
      ds: { ...ds, base: 0x1_0000n },
    },
  };
  expect(operands([0x8b, 0x00], view)).toEqual(['read 10001 2']);
});
