import { describe, expect, it } from 'vitest';
import { cpuidFor, decodeCpuid, encodeCpuid, type CpuidEntry } from './cpuid.ts';

const entry = (leaf: number, subleaf: number, registers: Partial<CpuidEntry>): CpuidEntry => ({
  ...{ leaf, subleaf, flags: 1, eax: 0, ebx: 0, ecx: 0, edx: 0 },
  ...registers,
});

/** A processor with three levels of cache. @param signature  EAX of leaf 1 */
const supported = (signature: number) =>
  encodeCpuid([
    entry(0x1, 0, { eax: signature, edx: 1 << 28 }),
    entry(0x4, 2, { eax: 0x43 }),
    entry(0x4, 3, { eax: 0x63 }),
    entry(0x8000_0006, 0, { ecx: 1, edx: 0x1234 }),
    entry(0x8000_0008, 0, { eax: 0x3030 }),
    entry(0x8000_001d, 3, { eax: 0x63 }),
  ]);

const FAMILY_0F = 0x0006_0fb1;
const FAMILY_17_MODEL_01 = 0x0080_0f12;
const FAMILY_17_MODEL_31 = 0x0083_0f10;
const INTEL = 0x0005_0654;

function cpuid(signature: number, packageCpus: number) {
  const topology = { cpus: 4, packageCpus, tscDeadline: true };
  const entries = decodeCpuid(cpuidFor(supported(signature), 2, topology));
  const find = (leaf: number, subleaf: number) =>
    entries.find((it) => it.leaf === leaf && it.subleaf === subleaf);
  const sharing = (leaf: number, subleaf: number) =>
    (((find(leaf, subleaf)?.eax ?? 0) >> 14) & 0xfff) + 1;
  return { find, sharing };
}

describe('the third-level cache in CPUID', () => {
  it.each([4, 2, 1])('is shared by %i CPUs', (packageCpus) => {
    const { sharing } = cpuid(INTEL, packageCpus);
    expect([sharing(4, 2), sharing(4, 3), sharing(0x8000_001d, 3)]).toEqual([
      1,
      packageCpus,
      packageCpus,
    ]);
  });

  it.each([
    ['family 0fh', FAMILY_0F],
    ['family 17h, model 1', FAMILY_17_MODEL_01],
  ])('is not there where %s could not say who shares it', (_, signature) => {
    expect(cpuid(signature, 4).find(0x8000_0006, 0)?.edx).toBe(0x1234);
    expect(cpuid(signature, 2).find(0x8000_0006, 0)).toMatchObject({ ecx: 1, edx: 0 });
  });

  it('stays where the processor says who shares it', () => {
    expect(cpuid(FAMILY_17_MODEL_31, 2).find(0x8000_0006, 0)?.edx).toBe(0x1234);
  });
});

describe('packages in CPUID', () => {
  it.each([
    [4, 2],
    [2, 1],
    [1, 0],
  ])('of %i CPUs take %i bits of the APIC id, wherever guests look', (packageCpus, bits) => {
    const { find } = cpuid(INTEL, packageCpus);
    const [features, levels, sizes] = [find(1, 0), find(0xb, 1), find(0x8000_0008, 0)];
    expect([(features?.ebx ?? 0) >>> 24, ((features?.ebx ?? 0) >> 16) & 0xff]).toEqual([
      2,
      packageCpus,
    ]);
    expect((features?.edx ?? 0) >>> 28).toBe(packageCpus > 1 ? 1 : 0);
    expect([levels?.eax, levels?.ebx, levels?.edx]).toEqual([bits, packageCpus, 2]);
    expect([((sizes?.ecx ?? 0) >> 12) & 0xf, (sizes?.ecx ?? 0) & 0xff]).toEqual([
      bits,
      packageCpus - 1,
    ]);
    expect((find(4, 3)?.eax ?? 0) >>> 26).toBe(2 ** bits - 1);
  });
});
